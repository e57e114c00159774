//! A Postgres of the tests' own.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        LazyLock,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

/// The server of this process; none where it is not installed.
static SERVER: LazyLock<Option<Server>> = LazyLock::new(|| match Server::start() {
    Ok(server) => Some(server),
    Err(reason) => {
        assert!(std::env::var_os("ESCROW_REQUIRE_POSTGRES").is_none(), "Postgres is required: {reason}");
        println!("NOT ON POSTGRES: {reason}");
        None
    }
});

struct Server {
    port: u16,
    /// It ends with its guard, a process that this one's end ends.
    _guard: Child,
    _folder: tempfile::TempDir,
}

/// The URL of a new, empty database; none where there is no Postgres.
pub fn database() -> Option<String> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let server = SERVER.as_ref()?;
    let name = format!("gateway_{}", COUNT.fetch_add(1, Ordering::Relaxed));
    let port = server.port.to_string();
    let made = as_postgres(&binaries()?.join("createdb"))
        .args(["--host", "127.0.0.1", "--port", &port, "--username", "postgres", &name])
        .output()
        .expect("createdb runs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    Some(format!("postgres://postgres@127.0.0.1:{port}/{name}"))
}

fn binaries() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    let found = versions.filter_map(|version| Some(version.ok()?.path().join("bin")));
    found.filter(|bin| bin.join("initdb").exists() && bin.join("postgres").exists()).max()
}

/// Postgres refuses to be run by root.
fn as_postgres(program: &Path) -> Command {
    let is_root = std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
    if !is_root {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(program);
    command.current_dir("/");
    command
}

impl Server {
    fn start() -> Result<Self, String> {
        let bin = binaries().ok_or("there is no initdb under /usr/lib/postgresql (Debian: apt install postgresql)")?;
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        // The server's own user makes the folders in it.
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o777);
        std::fs::set_permissions(folder.path(), open).map_err(|error| error.to_string())?;
        let data = folder.path().join("data");
        let made = as_postgres(&bin.join("initdb"))
            .args(["--auth=trust", "--username=postgres", "--encoding=UTF8", "--no-sync", "--pgdata"])
            .arg(&data)
            .output()
            .map_err(|error| format!("initdb does not run: {error}"))?;
        if !made.status.success() {
            return Err(format!("initdb: {}", String::from_utf8_lossy(&made.stderr)));
        }
        let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| error.to_string())?;
        let port = listener.local_addr().map_err(|error| error.to_string())?.port();
        drop(listener);
        // The guard reads until this process has ended, then ends the server.
        let mut server = as_postgres(Path::new("sh"));
        let script = "\"$0\" \"$@\" < /dev/null & read -r _; kill -INT $!; wait";
        server.args(["-c", script]).arg(bin.join("postgres")).arg("-D").arg(&data);
        server.args(["-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"]);
        server.args(["-c", "max_connections=300", "-c"]).arg(format!("unix_socket_directories={}", data.display()));
        let log = std::fs::File::create(folder.path().join("log")).map_err(|error| error.to_string())?;
        let guard = server.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(log).spawn();
        let guard = guard.map_err(|error| format!("postgres does not run: {error}"))?;
        let began = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            if began.elapsed() > Duration::from_secs(30) {
                let log = std::fs::read_to_string(folder.path().join("log")).unwrap_or_default();
                return Err(format!("postgres does not answer within 30 s: {log}"));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(Self { port, _guard: guard, _folder: folder })
    }
}
