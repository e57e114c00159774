//! Slow clients hold nobody up, and no connection for ever.

use std::time::{Duration, Instant};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::harness::{User, config, gateway, net, run, sqlite};

#[test]
fn slow_heads_and_bodies_are_cut_off_and_the_others_do_not_notice() {
    run(async {
        let mut config = config(net().await.rpc_url());
        (config.limits.head_seconds, config.limits.body_seconds) = (2, 2);
        let database = sqlite();
        let gateway = gateway(&database, config).await;
        let address = gateway.address.unwrap();
        // One byte a second, of a head and of a body.
        let slow = move |head: &'static str| async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(head.as_bytes()).await.unwrap();
            let began = Instant::now();
            let (mut reader, mut writer) = stream.split();
            let mut answer = Vec::new();
            let write = async {
                loop {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    if writer.write_all(b" ").await.is_err() {
                        std::future::pending::<()>().await;
                    }
                }
            };
            tokio::select! {
                () = write => {}
                _ = reader.read_to_end(&mut answer) => {}
                () = tokio::time::sleep(Duration::from_secs(20)) => panic!("{head:?} is still connected"),
            }
            (began.elapsed(), String::from_utf8_lossy(&answer).into_owned())
        };
        let head = "GET /livez HTTP/1.1\r\nhost: x\r\nx-slow:";
        let body = "POST /v1/terms HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n";
        let heads = (0..200).map(move |_| slow(head));
        let bodies = (0..200).map(move |_| slow(body));
        let slow = tokio::spawn(async move {
            let (heads, bodies) =
                tokio::join!(futures_util::future::join_all(heads), futures_util::future::join_all(bodies));
            (heads, bodies)
        });
        tokio::time::sleep(Duration::from_millis(500)).await;
        let user = User::with(&gateway, None);
        let mut longest = Duration::ZERO;
        for _ in 0..50 {
            let began = Instant::now();
            assert_eq!(user.get("/livez").await.status.as_u16(), 200);
            longest = longest.max(began.elapsed());
        }
        println!("beside 400 slow clients, the longest of 50 answers took {longest:?}");
        assert!(longest < Duration::from_secs(1), "{longest:?}");
        let (heads, bodies) = slow.await.unwrap();
        for (took, answer) in heads {
            assert!(took < Duration::from_secs(10) && !answer.contains(" 200 "), "{took:?} {answer}");
        }
        for (took, answer) in bodies {
            assert!(took < Duration::from_secs(10) && answer.contains("slow_body"), "{took:?} {answer}");
        }
    });
}
