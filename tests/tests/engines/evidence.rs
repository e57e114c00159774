//! A case is what its hash says, or each file that is not is named; and nothing outside its folder is ever touched.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use escrow_client::{
    evidence::{self, CaseError, Found, Listed, MANIFEST, Manifest, PathError, Purpose, Verdict, check_path},
    work::case::{FolderError, Material, build, check},
};
use escrow_tests::lives::{Random, people};
use sha2::{Digest, Sha256};

/// An empty folder for one test.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("evidence").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

fn write(path: &Path, text: &str) -> PathBuf {
    fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
    fs::write(path, text).expect("a file");
    path.to_path_buf()
}

/// A case of a statement, files in a folder, and a message.
fn case(name: &str) -> (PathBuf, PathBuf, Manifest) {
    let place = folder(name);
    write(&place.join("photos/Grüße.jpg"), "a picture");
    write(&place.join("photos/2/日本.jpg"), "another");
    let material = Material {
        statement: Some("It was broken.\n".to_owned()),
        files: vec![place.join("photos"), write(&place.join("bill.pdf"), "a bill")],
        messages: vec![write(&place.join("mail.txt"), "hello")],
    };
    let target = place.join("case");
    let manifest = build(&target, people::BUYER, 1, Purpose::Reason, &material).expect("a case");
    (place, target, manifest)
}

fn verdicts(checked: &[(String, Verdict)]) -> BTreeMap<&str, Verdict> {
    checked.iter().map(|(path, verdict)| (path.as_str(), *verdict)).collect()
}

#[test]
fn a_case_is_a_folder_whose_hash_any_tool_computes() {
    let (_, target, manifest) = case("made");
    let paths: Vec<&str> = manifest.files().iter().map(|listed| listed.path.as_str()).collect();
    assert_eq!(
        paths,
        ["files/bill.pdf", "files/photos/2/日本.jpg", "files/photos/Grüße.jpg", "messages/mail.txt", "statement.txt"]
    );
    let json = fs::read(target.join(MANIFEST)).expect("a manifest");
    assert_eq!(manifest.hash(), <[u8; 32]>::from(Sha256::digest(&json)), "sha256sum case.json");
    for listed in manifest.files() {
        let bytes = fs::read(target.join(&listed.path)).expect("a file");
        assert_eq!(
            (listed.size, listed.sha256),
            (bytes.len() as u64, Sha256::digest(&bytes).into()),
            "{}",
            listed.path
        );
    }
    assert_eq!(Manifest::decode(&json), Ok(manifest.clone()));
    let checked = check(&target, Some(manifest.hash())).expect("a case");
    assert!(checked.is_genuine(), "{checked:?}");
    assert_eq!((checked.manifest.milestone(), checked.manifest.purpose()), (1, Purpose::Reason));
}

/// The document describes exactly this.
#[test]
fn the_manifest_is_written_in_one_way() {
    let files = vec![Listed { path: "files/a \"b\".txt".replace('"', "'"), size: 3, sha256: [0xab; 32] }];
    let manifest = Manifest::new(people::BUYER, 0, Purpose::Evidence, files).expect("a manifest");
    let expected = format!(
        "{{\n  \"version\": 1,\n  \"escrow\": \"{}\",\n  \"milestone\": 1,\n  \"purpose\": \"evidence\",\n  \"files\": [\n    \
         {{\"path\": \"files/a 'b'.txt\", \"size\": 3, \"sha256\": \"{}\"}}\n  ]\n}}\n",
        people::BUYER,
        "ab".repeat(32)
    );
    assert_eq!(manifest.encode(), expected);
    assert_eq!(Manifest::decode(expected.as_bytes()), Ok(manifest));
    let others = [
        expected.replace("  ", " "),
        expected.replace("\"size\": 3", "\"size\": 3.0"),
        expected.replace("\"size\": 3", "\"size\": \"3\""),
        expected.replace("\"version\": 1", "\"version\": 2"),
        expected.replace("\"milestone\": 1", "\"milestone\": 0"),
        expected.replace("\"version\": 1,", "\"version\": 1, \"version\": 1,"),
        expected.replace("\"version\": 1,", "\"version\": 1, \"more\": 1,"),
        expected.replace("evidence", "Evidence"),
        expected.replace("ab", "AB"),
        expected.trim_end().to_owned(),
        format!(" {expected}"),
        "{}".to_owned(),
        String::new(),
    ];
    for other in others {
        assert!(matches!(Manifest::decode(other.as_bytes()), Err(CaseError::Manifest(_))), "{other}");
    }
}

#[test]
fn each_file_that_is_not_as_it_was_is_named() {
    let (_, target, manifest) = case("forged");
    fs::write(target.join("files/bill.pdf"), "a bilk").expect("a file");
    fs::write(target.join("messages/mail.txt"), "hello, and more").expect("a file");
    fs::remove_file(target.join("files/photos/2/日本.jpg")).expect("a file");
    write(&target.join("files/photos/3/new.jpg"), "new");
    fs::remove_file(target.join("statement.txt")).expect("a file");
    fs::create_dir(target.join("statement.txt")).expect("a folder");
    let checked = check(&target, Some(manifest.hash())).expect("a case");
    assert!(!checked.is_genuine());
    assert_eq!(checked.is_committed, Some(true), "the manifest itself was not touched");
    let view = checked.view();
    assert_eq!((view.genuine, view.milestone, view.files[0].text.as_str()), (false, 2, "✗ files/bill.pdf: changed"));
    assert_eq!(evidence::line("a\u{1b}[2Jb", Verdict::Added), "✗ a\\u{1b}[2Jb: added afterwards");
    let expected = [
        ("files/bill.pdf", Verdict::Changed),
        ("files/photos/2/日本.jpg", Verdict::Missing),
        ("files/photos/3/new.jpg", Verdict::Added),
        ("files/photos/Grüße.jpg", Verdict::Same),
        ("messages/mail.txt", Verdict::Changed),
        ("statement.txt", Verdict::Missing),
    ];
    assert_eq!(verdicts(&checked.files), BTreeMap::from(expected));
}

#[test]
fn another_manifest_is_not_what_was_committed_to() {
    let (_, target, manifest) = case("committed");
    let (_, other, _) = case("committed_other");
    fs::write(other.join("files/bill.pdf"), "a forged bill").expect("a file");
    let files = manifest.files().iter().map(|listed| {
        let bytes = fs::read(other.join(&listed.path)).expect("a file");
        Listed { path: listed.path.clone(), size: bytes.len() as u64, sha256: Sha256::digest(&bytes).into() }
    });
    let forged = Manifest::new(people::BUYER, 1, Purpose::Reason, files.collect()).expect("a manifest");
    fs::write(other.join(MANIFEST), forged.encode()).expect("a manifest");
    let checked = check(&other, Some(manifest.hash())).expect("a case");
    assert_eq!((checked.is_committed, checked.is_genuine()), (Some(false), false));
    assert!(checked.files.iter().all(|(_, verdict)| *verdict == Verdict::Same), "it only agrees with itself");
    assert_eq!(check(&target, None).expect("a case").is_committed, None);
    assert!(!check(&target, None).expect("a case").is_genuine(), "nobody said what was committed to");
}

#[test]
fn a_path_that_leads_out_or_looks_like_another_is_refused() {
    for (path, error) in [
        ("", PathError::Empty),
        ("/etc/passwd", PathError::Empty),
        ("files//a", PathError::Empty),
        ("files/", PathError::Empty),
        ("..", PathError::Outside),
        ("../a", PathError::Outside),
        ("files/../../a", PathError::Outside),
        ("./a", PathError::Outside),
        ("files\\..\\a", PathError::Character('\\')),
        ("C:a", PathError::Character(':')),
        ("a\0b", PathError::Character('\0')),
        ("a\nb", PathError::Character('\n')),
        ("a\u{1b}[31mb", PathError::Character('\u{1b}')),
        ("invoice\u{202e}fdp.exe", PathError::Character('\u{202e}')),
        ("a\u{200b}b", PathError::Character('\u{200b}')),
        ("a ", PathError::Edge),
        ("a.", PathError::Edge),
        (" a", PathError::Edge),
        ("nul", PathError::Device),
        ("files/com1.txt", PathError::Device),
        ("files/Gru\u{308}ße.jpg", PathError::NotComposed),
    ] {
        assert_eq!(check_path(path), Err(error), "{path:?}");
    }
    assert_eq!(check_path(&"a/".repeat(300)), Err(PathError::TooLong));
    assert_eq!(check_path(&"a".repeat(241)), Err(PathError::TooLong));
    for path in ["a", "files/Grüße.jpg", "日本/語.txt", "a b/c.tar.gz", ".hidden", "…", "com10", "🙂.png"] {
        assert_eq!(check_path(path), Ok(()), "{path:?}");
    }
    let listed = |path: &str| Listed { path: path.to_owned(), size: 1, sha256: [0; 32] };
    for (one, other) in [("files/a", "files/A"), ("files/ß.txt", "files/ß.TXT"), ("files/a", "files/a/b"), ("a", "a")]
    {
        let made = Manifest::new(people::BUYER, 0, Purpose::Reason, vec![listed(one), listed(other)]);
        assert!(matches!(made, Err(CaseError::SameFile(..))), "{one} {other}: {made:?}");
    }
    let manifest = Manifest::new(people::BUYER, 0, Purpose::Reason, vec![listed("Case.json")]);
    assert!(matches!(manifest, Err(CaseError::SameFile(..))), "{manifest:?}");
}

#[test]
fn sizes_have_limits() {
    let listed = |name: usize, size| Listed { path: format!("files/{name}"), size, sha256: [0; 32] };
    let made = |files| Manifest::new(people::BUYER, 0, Purpose::Reason, files);
    assert_eq!(made(Vec::new()), Err(CaseError::Nothing));
    assert!(made((0..evidence::MAX_FILES).map(|name| listed(name, 1)).collect()).is_ok());
    let many = (0..=evidence::MAX_FILES).map(|name| listed(name, 1)).collect();
    assert_eq!(made(many), Err(CaseError::TooMany(evidence::MAX_FILES + 1)));
    let size = evidence::MAX_FILE_SIZE + 1;
    assert_eq!(made(vec![listed(0, size)]), Err(CaseError::TooLarge { path: "files/0".to_owned(), size }));
    let five = (0..5).map(|name| listed(name, evidence::MAX_FILE_SIZE)).collect();
    assert_eq!(made(five), Err(CaseError::TooLargeTogether(5 * evidence::MAX_FILE_SIZE)));
    assert!(matches!(made(vec![listed(0, u64::MAX)]), Err(CaseError::TooLarge { .. })));
    let whole = made((0..evidence::MAX_FILES).map(|name| listed(name, 1)).collect()).expect("a manifest");
    assert!(whole.encode().len() <= evidence::MAX_MANIFEST_SIZE, "the largest can be read again");
}

#[cfg(unix)]
#[test]
fn a_link_is_neither_taken_nor_followed() {
    use std::os::unix::fs::symlink;

    let place = folder("links");
    let secret = write(&place.join("secret"), "nobody's business");
    let link = place.join("link");
    symlink(&secret, &link).expect("a link");
    let target = place.join("case");
    let material = Material { files: vec![link.clone()], ..Material::default() };
    let refused = build(&target, people::BUYER, 0, Purpose::Reason, &material).expect_err("a link");
    assert!(matches!(&refused, FolderError::Link(path) if *path == link), "{refused}");
    let inside = place.join("photos");
    fs::create_dir(&inside).expect("a folder");
    symlink(&place, inside.join("up")).expect("a link");
    let material = Material { files: vec![inside], ..Material::default() };
    assert!(matches!(build(&target, people::BUYER, 0, Purpose::Reason, &material), Err(FolderError::Link(_))));
    assert!(!target.exists(), "nothing is begun that cannot be ended");

    // A file of a case that became a link, to one with the same bytes.
    let (_, target, manifest) = case("links_later");
    let copy = write(&target.parent().expect("a parent").join("copy"), "a bill");
    fs::remove_file(target.join("files/bill.pdf")).expect("a file");
    symlink(&copy, target.join("files/bill.pdf")).expect("a link");
    symlink("/", target.join("files/root")).expect("a link");
    let checked = check(&target, Some(manifest.hash())).expect("a case");
    assert_ne!(verdicts(&checked.files)["files/bill.pdf"], Verdict::Same);
    assert_eq!(verdicts(&checked.files)["files/root"], Verdict::Added);
    fs::remove_file(target.join(MANIFEST)).expect("a file");
    symlink(&copy, target.join(MANIFEST)).expect("a link");
    assert!(matches!(check(&target, None), Err(FolderError::Link(_))));
}

#[test]
fn a_case_is_made_once_and_decomposed_names_are_composed() {
    let (place, target, _) = case("once");
    let name = "Gru\u{308}n.txt";
    let material = Material { files: vec![write(&place.join(name), "x")], ..Material::default() };
    let again = build(&target, people::BUYER, 0, Purpose::Reason, &material);
    assert!(matches!(again, Err(FolderError::Exists(_))), "{again:?}");
    let other = place.join("other");
    let manifest = build(&other, people::BUYER, 0, Purpose::Reason, &material).expect("a case");
    assert_eq!(manifest.files()[0].path, "files/Gr\u{fc}n.txt");
    assert!(check(&other, Some(manifest.hash())).expect("a case").is_genuine());
    let nothing = build(&place.join("nothing"), people::BUYER, 0, Purpose::Reason, &Material::default());
    assert!(matches!(nothing, Err(FolderError::Case(CaseError::Nothing))));
}

/// Whatever is changed in a folder or a manifest, it is not genuine any more.
#[test]
fn no_change_goes_unnoticed() {
    let (_, target, manifest) = case("changes");
    let json = manifest.encode().into_bytes();
    let mut random = Random::new(1);
    for _ in 0..2_000 {
        let mut changed = json.clone();
        let place = random.below(changed.len() as u64) as usize;
        match random.below(3) {
            0 => changed[place] ^= 1 << random.below(8),
            1 => drop(changed.remove(place)),
            _ => changed.insert(place, random.next() as u8),
        }
        if let Ok(decoded) = Manifest::decode(&changed) {
            assert_eq!(decoded.encode().as_bytes(), changed);
            assert_ne!(decoded.hash(), manifest.hash());
        }
    }
    let found: BTreeMap<String, Found> = manifest
        .files()
        .iter()
        .map(|listed| (listed.path.clone(), Found { size: listed.size, sha256: Some(listed.sha256) }))
        .collect();
    assert!(manifest.compare(&found).iter().all(|(_, verdict)| *verdict == Verdict::Same));
    for path in found.keys() {
        let mut other = found.clone();
        let file = other.get_mut(path).expect("a file");
        file.sha256.as_mut().expect("a hash")[31] ^= 1;
        assert_eq!(verdicts(&manifest.compare(&other))[path.as_str()], Verdict::Changed);
    }
    assert!(check(&target, Some(manifest.hash())).expect("a case").is_genuine());
}
