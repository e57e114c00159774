//! A body that is too large for its client is never in the proxy's memory. Alone in its process, whose memory it measures.

use escrow_fault_proxy::{Answer, Fault, Plan, Proxy, Rule};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// The most memory that this process ever had, in KB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[tokio::test]
#[cfg_attr(not(target_os = "linux"), ignore = "reads /proc")]
async fn an_oversized_body_is_streamed() {
    const BYTES: u64 = 512 * 1024 * 1024;
    let with = Answer::Oversized { bytes: BYTES, chunked: false };
    let plan = Plan::new([Rule::always(Fault::Answer { delivered: false, with })]);
    let proxy = Proxy::start(["http://127.0.0.1:1"], plan).await.unwrap();
    let mut buffer = vec![0; 256 * 1024];
    let before = peak();
    let mut stream = TcpStream::connect(proxy.url().strip_prefix("http://").unwrap()).await.unwrap();
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"getSlot"}"#;
    let request =
        format!("POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut total: u64 = 0;
    loop {
        match stream.read(&mut buffer).await.unwrap() {
            0 => break,
            count => total += u64::try_from(count).unwrap(),
        }
    }
    let grown = peak() - before;
    println!("{total} bytes, {grown} KB of memory");
    assert!(total > BYTES);
    assert!(grown < 4 * 1024, "{grown} KB");
}
