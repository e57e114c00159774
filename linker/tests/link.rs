//! The linker as rustc calls it, on small programs in LLVM's textual form.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const TARGET: &str = "target datalayout = \"e-m:e-p:64:64-i64:64-i128:128-n32:64-S128\"\ntarget triple = \"bpfel\"\n";

/// Tables of addresses in several read-only sections: what a hash map in the linker would put out of order.
const TABLES: &str = r#"
@hello = private unnamed_addr constant [5 x i8] c"hello", align 1
@world = private unnamed_addr constant [6 x i8] c"world\00", align 1
@functions = private constant [2 x ptr] [ptr @one, ptr @two], align 8
@more = private constant [2 x ptr] [ptr @two, ptr @one], section ".rodata.more", align 8
@texts = private constant [2 x ptr] [ptr getelementptr (i8, ptr @hello, i64 3), ptr @world], section ".rodata.texts", align 8
declare void @sol_log_(ptr, i64)
define internal i64 @one(i64 %x) noinline {
  call void @sol_log_(ptr @hello, i64 5)
  %y = add i64 %x, 1
  ret i64 %y
}
define internal i64 @two(i64 %x) noinline {
  call void @sol_log_(ptr @world, i64 5)
  %y = mul i64 %x, 3
  ret i64 %y
}
define i64 @entrypoint(ptr %input) {
  %word = load i64, ptr %input
  %index = and i64 %word, 1
  %at.1 = getelementptr [2 x ptr], ptr @functions, i64 0, i64 %index
  %function.1 = load ptr, ptr %at.1
  %result.1 = call i64 %function.1(i64 %word)
  %at.2 = getelementptr [2 x ptr], ptr @more, i64 0, i64 %index
  %function.2 = load ptr, ptr %at.2
  %result.2 = call i64 %function.2(i64 %result.1)
  %at.3 = getelementptr [2 x ptr], ptr @texts, i64 0, i64 %index
  %text = load ptr, ptr %at.3
  call void @sol_log_(ptr %text, i64 2)
  ret i64 %result.2
}
"#;

struct Linked {
    folder: PathBuf,
    output: Output,
}

impl Linked {
    fn program(&self) -> Vec<u8> {
        let errors = String::from_utf8_lossy(&self.output.stderr);
        assert!(self.output.status.success(), "{errors}");
        fs::read(self.folder.join("program.so")).unwrap()
    }

    fn errors(&self) -> String {
        assert!(!self.output.status.success(), "this should not link");
        String::from_utf8_lossy(&self.output.stderr).into_owned()
    }
}

/// Links the program in a folder of its own.
fn link(name: &str, source: &str, options: &[&str]) -> Linked {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("program.ll"), format!("{TARGET}{source}")).unwrap();
    fs::write(folder.join("symbols"), "entrypoint\n").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_sbf-link"))
        .args(["--export-symbols", "symbols", "program.ll", "-o", "program.so"])
        .args(options)
        .current_dir(&folder)
        .output()
        .unwrap();
    Linked { folder, output }
}

fn flags(program: &[u8]) -> &[u8] {
    assert_eq!(&program[..4], b"\x7fELF");
    &program[48..52]
}

#[test]
fn the_same_source_gives_the_same_bytes() {
    for arch in ["--arch=v3", "--arch=v0"] {
        let first = link(&format!("first{arch}"), TABLES, &[arch]).program();
        for round in 0..8 {
            let again = link(&format!("again{arch}{round}"), TABLES, &[arch]).program();
            assert!(first == again, "{arch}, round {round}");
        }
    }
}

#[test]
fn the_program_is_of_the_architecture_that_was_asked_for() {
    assert_eq!(flags(&link("v3", TABLES, &["--arch=v3"]).program()), [3, 0, 0, 0]);
    assert_eq!(flags(&link("v0", TABLES, &["--arch=v0"]).program()), [0, 0, 0, 0]);
}

#[test]
fn a_long_copy_becomes_a_system_call() {
    let copy = |bytes: u32| {
        format!(
            "declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)
             define i64 @entrypoint(ptr %input) {{
               %from = getelementptr i8, ptr %input, i64 4096
               call void @llvm.memcpy.p0.p0.i64(ptr %input, ptr %from, i64 {bytes}, i1 false)
               ret i64 0
             }}"
        )
    };
    // SBPF v0 names its system calls in the symbol table.
    let calls = |name, bytes| {
        let program = link(name, &copy(bytes), &["--arch=v0"]).program();
        program.windows(11).any(|text| text == b"sol_memcpy_")
    };
    assert!(calls("long_copy", 129));
    assert!(!calls("short_copy", 128));
}

#[test]
fn a_wide_function_is_inlined() {
    let source = "define internal i64 @wide(i64 %a, i64 %b, i64 %c, i64 %d, i64 %e, i64 %f) noinline {
           %1 = mul i64 %a, %b
           %2 = mul i64 %c, %d
           %3 = mul i64 %e, %f
           %4 = xor i64 %1, %2
           %5 = xor i64 %4, %3
           ret i64 %5
         }
         define i64 @entrypoint(ptr %input) {
           %a = load volatile i64, ptr %input
           %b = load volatile i64, ptr %input
           %1 = call i64 @wide(i64 %a, i64 %b, i64 %a, i64 %a, i64 %b, i64 %b)
           %2 = call i64 @wide(i64 %b, i64 %b, i64 %b, i64 %a, i64 %a, i64 %1)
           ret i64 %2
         }";
    link("wide", source, &[]).program();
}

#[test]
fn a_wide_function_that_calls_itself_is_refused_by_name() {
    let name = "_ZN6escrow7recurse17h0123456789abcdefE";
    let source = format!(
        "define internal i64 @{name}(ptr %p, i64 %b, i64 %c, i64 %d, i64 %e, i64 %f) noinline {{
           store volatile i64 %b, ptr %p
           store volatile i64 %c, ptr %p
           store volatile i64 %d, ptr %p
           store volatile i64 %e, ptr %p
           %more = load volatile i64, ptr %p
           %done = icmp eq i64 %more, 0
           br i1 %done, label %out, label %again
         again:
           %1 = call i64 @{name}(ptr %p, i64 %c, i64 %d, i64 %e, i64 %f, i64 %more)
           %2 = call i64 @{name}(ptr %p, i64 %1, i64 %b, i64 %more, i64 %c, i64 %d)
           %3 = xor i64 %1, %2
           ret i64 %3
         out:
           ret i64 %f
         }}
         define i64 @entrypoint(ptr %input) {{
           %a = load volatile i64, ptr %input
           %1 = call i64 @{name}(ptr %input, i64 %a, i64 2, i64 %a, i64 4, i64 %a)
           ret i64 %1
         }}"
    );
    let errors = link("recursion", &source, &[]).errors();
    assert!(errors.contains("  escrow::recurse\n") && errors.contains("argument registers"), "{errors}");
}

#[test]
fn a_missing_function_is_refused_by_name() {
    let source = "declare i64 @_ZN6escrow4lost17h0123456789abcdefE(i64)
         define i64 @entrypoint(ptr %input) {
           %1 = call i64 @_ZN6escrow4lost17h0123456789abcdefE(i64 1)
           ret i64 %1
         }";
    let errors = link("missing", source, &[]).errors();
    assert!(errors.contains("`escrow::lost` is called and nowhere defined"), "{errors}");
}

#[test]
fn a_wide_division_is_refused_with_advice() {
    let source = "define i64 @entrypoint(ptr %input) {
           %a = load volatile i128, ptr %input
           %b = load volatile i128, ptr %input
           %c = udiv i128 %a, %b
           %d = trunc i128 %c to i64
           ret i64 %d
         }";
    let errors = link("division", source, &[]).errors();
    assert!(errors.contains("entrypoint") && errors.contains("divide 64-bit numbers"), "{errors}");
}

#[test]
fn a_library_without_an_entrypoint_is_an_empty_file() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("library");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("symbols"), "something_else\n").unwrap();
    let status = Command::new(env!("CARGO_BIN_EXE_sbf-link"))
        .args(["--export-symbols", "symbols", "library.o", "-o", "library.so"])
        .current_dir(&folder)
        .status()
        .unwrap();
    assert!(status.success());
    assert_eq!(fs::read(folder.join("library.so")).unwrap(), b"");
}
