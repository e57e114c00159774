//! The way out to URLs that users name: which addresses it reaches, however they are named, and how long it listens.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use axum::http::{HeaderMap, Method};
use escrow_gateway::deliver::egress::{Answer, Egress, EgressError, Lookup, MOST_BYTES};

use super::receiver::{Manner, Receiver};
use crate::harness::run;

/// Every kind of address that nobody may reach through the gateway.
const REFUSED: &str = "0.0.0.0 10.1.2.3 100.64.0.1 127.0.0.1 127.8.8.8 169.254.169.254 172.16.0.1 192.0.0.1 192.0.2.1 192.88.99.1 \
    192.168.1.1 198.18.0.1 198.51.100.1 203.0.113.1 224.0.0.1 240.0.0.1 255.255.255.255 168.63.129.16 :: ::1 \
    ::ffff:127.0.0.1 ::ffff:169.254.169.254 64:ff9b::a00:1 64:ff9b:1::1 100::1 2001::1 2001:db8::1 2002:a00:1:: \
    3fff::1 fc00::1 fd00:ec2::254 fe80::1 ff02::1";

async fn get(egress: &Egress, url: &str) -> Result<Answer, EgressError> {
    egress.send(Method::GET, url, HeaderMap::new(), Vec::new(), Duration::from_millis(500)).await
}

/// Names that mean these addresses, the next at each look.
fn names(means: Vec<Vec<IpAddr>>) -> (Lookup, Arc<AtomicUsize>) {
    let looks = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&looks);
    let lookup: Lookup = Arc::new(move |_| {
        let look = counted.fetch_add(1, Ordering::SeqCst).min(means.len() - 1);
        let found = means[look].clone();
        Box::pin(async move { Ok(found) })
    });
    (lookup, looks)
}

/// Counts who connects.
async fn count(address: SocketAddr) -> Arc<AtomicUsize> {
    let listener = tokio::net::TcpListener::bind(address).await.expect("a listener");
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&connections);
    tokio::spawn(async move {
        while listener.accept().await.is_ok() {
            counted.fetch_add(1, Ordering::SeqCst);
        }
    });
    connections
}

#[test]
fn no_such_address_is_reached_as_a_literal_or_by_a_name() {
    run(async {
        let egress = Egress::new(&[]).unwrap();
        for address in REFUSED.split(' ') {
            let ip: IpAddr = address.parse().unwrap();
            let host = if ip.is_ipv6() { format!("[{ip}]") } else { ip.to_string() };
            for url in [format!("https://{host}/"), format!("https://{host}:8443/x")] {
                let error = get(&egress, &url).await.unwrap_err();
                assert!(matches!(&error, EgressError::Url(text) if text.contains("public Internet")), "{url}: {error}");
            }
            let (lookup, looks) = names(vec![vec![ip]]);
            let named = Egress::with_lookup(&[], &lookup).unwrap();
            let error = get(&named, "https://shop.example/").await.unwrap_err();
            assert!(error.to_string().ends_with("shop.example has no address of the public Internet"), "{ip}: {error}");
            assert_eq!(looks.load(Ordering::SeqCst), 1);
        }
    });
}

#[test]
fn an_address_is_the_same_however_it_is_written() {
    let egress = Egress::new(&[]).unwrap();
    for url in [
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0177.0.0.1/",
        "https://127.1/",
        "https://127.0.0.1./",
        "https://[0:0:0:0:0:ffff:7f00:1]/",
        "https://[::ffff:7f00:1]/",
        "https://①②⑦.0.0.1/",
        "https://0/",
    ] {
        let error = egress.check(url).unwrap_err().to_string();
        assert!(error.contains("public Internet"), "{url}: {error}");
    }
    for (url, says) in [
        ("", "no URL"),
        ("shop.example", "no URL"),
        ("https://", "no URL"),
        ("http://shop.example/", "https://"),
        ("ftp://shop.example/", "https://"),
        ("file:///etc/passwd", "names no host"),
        ("https://user@shop.example/", "a user or a password"),
        ("https://user:secret@shop.example/", "a user or a password"),
        ("http://127.0.0.1:1/", "https://"),
        (&format!("https://shop.example/{}", "x".repeat(2_000)), "longer"),
    ] {
        let error = egress.check(url).unwrap_err().to_string();
        assert!(error.contains(says), "{url}: {error}");
    }
    for good in ["https://shop.example/hook?a=b", "https://8.8.8.8/", "https://[2606:4700::1111]:8443/"] {
        egress.check(good).unwrap();
    }
}

#[test]
fn a_name_that_means_something_else_later_gains_nothing() {
    run(async {
        let receiver = Receiver::start().await;
        let port = receiver.address.port();
        let inside = count(SocketAddr::new("127.0.0.2".parse().unwrap(), port)).await;
        // The operator allows one address; the name means it once, then its neighbour.
        let (lookup, looks) = names(vec![vec!["127.0.0.1".parse().unwrap()], vec!["127.0.0.2".parse().unwrap()]]);
        let fresh = || Egress::with_lookup(&[receiver.address], &lookup).unwrap();
        let url = format!("http://shop.example:{port}/hook");
        assert_eq!(get(&fresh(), &url).await.unwrap().status, 204);
        // A connection of its own: one that is open leads where it led.
        let error = get(&fresh(), &url).await.unwrap_err();
        assert!(error.to_string().contains("no address of the public Internet"), "{error}");
        assert_eq!((looks.load(Ordering::SeqCst), inside.load(Ordering::SeqCst)), (2, 0));
        assert_eq!(receiver.heard().len(), 1);
    });
}

#[test]
fn of_several_addresses_only_those_are_tried_that_may_be() {
    run(async {
        let receiver = Receiver::start().await;
        let port = receiver.address.port();
        let inside = count(SocketAddr::new("127.0.0.3".parse().unwrap(), port)).await;
        let (lookup, _) = names(vec![vec!["127.0.0.3".parse().unwrap(), "127.0.0.1".parse().unwrap()]]);
        let egress = Egress::with_lookup(&[receiver.address], &lookup).unwrap();
        assert_eq!(get(&egress, &format!("http://shop.example:{port}/")).await.unwrap().status, 204);
        assert_eq!(inside.load(Ordering::SeqCst), 0);
    });
}

#[test]
fn what_is_allowed_is_one_address_at_one_port() {
    run(async {
        let (allowed, beside) = (Receiver::start().await, Receiver::start().await);
        let (lookup, _) = names(vec![vec!["127.0.0.1".parse().unwrap()]]);
        let egress = Egress::with_lookup(&[allowed.address], &lookup).unwrap();
        assert_eq!(get(&egress, &allowed.url()).await.unwrap().status, 204);
        assert!(matches!(get(&egress, &beside.url()).await, Err(EgressError::Url(_))));
        let port = beside.address.port();
        for url in [format!("http://shop.example:{port}/"), format!("https://shop.example:{port}/")] {
            get(&egress, &url).await.unwrap_err();
        }
        // What is allowed at another port is another address.
        let elsewhere = SocketAddr::new("127.0.0.2".parse().unwrap(), port);
        let (lookup, _) = names(vec![vec!["127.0.0.1".parse().unwrap()]]);
        let egress = Egress::with_lookup(&[allowed.address, elsewhere], &lookup).unwrap();
        let error = get(&egress, &format!("http://shop.example:{port}/")).await.unwrap_err();
        assert!(error.to_string().contains("no address of the public Internet"), "{error}");
        // Without TLS nothing public is reached, whatever the port.
        let (lookup, _) = names(vec![vec!["8.8.8.8".parse().unwrap()]]);
        let egress = Egress::with_lookup(&[allowed.address], &lookup).unwrap();
        let error = get(&egress, &format!("http://shop.example:{}/", allowed.address.port())).await.unwrap_err();
        assert!(error.to_string().contains("no address of the public Internet"), "{error}");
        assert!(beside.heard().is_empty());
    });
}

#[test]
fn a_redirect_is_not_followed() {
    run(async {
        let receiver = Receiver::start().await;
        let inside = count(SocketAddr::new("127.0.0.4".parse().unwrap(), receiver.address.port())).await;
        let target = format!("http://127.0.0.4:{}/", receiver.address.port());
        receiver.answers(move |_| Manner::To(target.clone()));
        let egress = Egress::new(&[receiver.address]).unwrap();
        assert_eq!(get(&egress, &receiver.url()).await.unwrap().status, 302);
        assert_eq!(inside.load(Ordering::SeqCst), 0);
    });
}

#[test]
fn nobody_is_listened_to_for_ever() {
    run(async {
        let receiver = Receiver::start().await;
        let egress = Egress::new(&[receiver.address]).unwrap();
        let began = Instant::now();
        receiver.answers(|_| Manner::Endless);
        let answer = get(&egress, &receiver.url()).await.unwrap();
        assert!(answer.status == 200 && !answer.is_whole && answer.body.len() <= MOST_BYTES, "{}", answer.body.len());
        receiver.answers(|_| Manner::Slow(Duration::from_secs(60)));
        assert_eq!(get(&egress, &receiver.url()).await.unwrap_err(), EgressError::Slow(Duration::from_millis(500)));
        receiver.answers(|_| Manner::Status(200));
        let answer = get(&egress, &receiver.url()).await.unwrap();
        assert_eq!((answer.body.as_slice(), answer.is_whole), (b"thanks".as_slice(), true));
        assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
        // Nobody is there.
        let gone = SocketAddr::new("127.0.0.1".parse().unwrap(), 1);
        let egress = Egress::new(&[gone]).unwrap();
        assert!(matches!(get(&egress, "http://127.0.0.1:1/").await, Err(EgressError::Connection(_))));
    });
}
