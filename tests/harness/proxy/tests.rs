use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use super::*;
use crate::wait;

/// Long enough for anything that comes at all on a busy machine.
const SOON: Duration = Duration::from_secs(20);
/// Short enough to wait for something that shall not come.
const NOTHING: Duration = Duration::from_millis(200);

/// A server that sends back what it gets, and closes when its client has.
async fn echo() -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut from, mut to) = socket.split();
                let _ = tokio::io::copy(&mut from, &mut to).await;
                let _ = to.shutdown().await;
            });
        }
    });
    address
}

async fn linked() -> (Proxy, TcpStream) {
    let proxy = Proxy::start(echo().await).await.unwrap();
    let client = TcpStream::connect(proxy.address()).await.unwrap();
    (proxy, client)
}

async fn say(client: &mut TcpStream, words: &[u8]) {
    client.write_all(words).await.unwrap();
}

async fn hear(client: &mut TcpStream, words: &[u8]) {
    let mut heard = vec![0; words.len()];
    timeout(SOON, client.read_exact(&mut heard))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(heard, words);
}

async fn hear_nothing(client: &mut TcpStream) {
    let mut byte = [0];
    assert!(timeout(NOTHING, client.read(&mut byte)).await.is_err());
}

/// The connection ends with an error, not in good order.
async fn is_reset(client: &mut TcpStream) {
    let mut byte = [0];
    let read = timeout(SOON, client.read(&mut byte)).await.unwrap();
    let error = read.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn what_nobody_breaks_goes_through() {
    let (proxy, mut client) = linked().await;
    let words = vec![7; 100_000];
    let (mut from, mut to) = client.split();
    let (sent, heard) = tokio::join!(
        async {
            to.write_all(&words).await.unwrap();
            to.shutdown().await
        },
        async {
            let mut heard = Vec::new();
            from.read_to_end(&mut heard).await.unwrap();
            heard
        }
    );
    sent.unwrap();
    assert_eq!(heard, words);
    let counts = proxy.counts();
    assert_eq!(
        (counts.connections, counts.up, counts.down, counts.broken),
        (1, 100_000, 100_000, 0)
    );
}

#[tokio::test]
async fn latency_is_added_each_way() {
    let (proxy, mut client) = linked().await;
    let late = |way| Toxic::Latency {
        way,
        time: Duration::from_millis(60),
        jitter: Duration::from_millis(5),
    };
    proxy.poison(&[late(Way::Up), late(Way::Down)]);
    let began = Instant::now();
    say(&mut client, b"late").await;
    hear(&mut client, b"late").await;
    assert!(began.elapsed() >= Duration::from_millis(120));
}

#[tokio::test]
async fn narrow_and_slow_links_take_their_time() {
    let (proxy, mut client) = linked().await;
    proxy.poison(&[Toxic::Bandwidth {
        way: Way::Down,
        rate: 1_000,
    }]);
    let began = Instant::now();
    say(&mut client, &[1; 300]).await;
    hear(&mut client, &[1; 300]).await;
    // The last portion's pause comes after it.
    assert!(began.elapsed() >= Duration::from_millis(200));
    proxy.poison(&[Toxic::SlowLoris {
        way: Way::Up,
        pause: Duration::from_millis(10),
    }]);
    let began = Instant::now();
    say(&mut client, &[2; 11]).await;
    hear(&mut client, &[2; 11]).await;
    assert!(began.elapsed() >= Duration::from_millis(100));
}

#[tokio::test]
async fn a_connection_is_cut_after_so_many_bytes() {
    let (proxy, mut client) = linked().await;
    proxy.poison(&[Toxic::CutAfter {
        way: Way::Down,
        bytes: 5,
    }]);
    say(&mut client, b"12345").await;
    hear(&mut client, b"12345").await;
    say(&mut client, b"6").await;
    is_reset(&mut client).await;
    assert_eq!((proxy.counts().down, proxy.counts().broken), (5, 1));
}

#[tokio::test]
async fn resets_reach_idle_connections_and_refusals_only_new_ones() {
    let (proxy, mut client) = linked().await;
    say(&mut client, b"a").await;
    hear(&mut client, b"a").await;
    proxy.poison(&[Toxic::Refuse]);
    let mut other = TcpStream::connect(proxy.address()).await.unwrap();
    is_reset(&mut other).await;
    say(&mut client, b"b").await;
    hear(&mut client, b"b").await;
    proxy.cut();
    is_reset(&mut client).await;
    proxy.heal();
    let mut third = TcpStream::connect(proxy.address()).await.unwrap();
    say(&mut third, b"c").await;
    hear(&mut third, b"c").await;
    proxy.poison(&[Toxic::Reset]);
    is_reset(&mut third).await;
}

#[tokio::test]
async fn a_half_closed_way_ends_and_the_other_goes_on() {
    let (proxy, mut client) = linked().await;
    say(&mut client, b"a").await;
    hear(&mut client, b"a").await;
    proxy.poison(&[Toxic::HalfClose { way: Way::Down }]);
    let mut byte = [0];
    assert_eq!(timeout(SOON, client.read(&mut byte)).await.unwrap().unwrap(), 0);
    let before = proxy.counts().up;
    say(&mut client, b"b").await;
    wait::until("the other way to go on", SOON, || async {
        Ok((proxy.counts().up > before).then_some(()))
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_black_hole_is_silent_and_loses_nothing_when_it_is_over() {
    for way in [Way::Up, Way::Down] {
        let (proxy, mut client) = linked().await;
        proxy.poison(&[Toxic::BlackHole { way }]);
        say(&mut client, b"anybody?").await;
        hear_nothing(&mut client).await;
        proxy.heal();
        hear(&mut client, b"anybody?").await;
        assert_eq!(proxy.counts().broken, 0);
    }
}

/// A server that answers each request with how many it has seen, once with a body in chunks.
async fn counting() -> (SocketAddr, Arc<AtomicU64>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let seen = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let count = Arc::clone(&count);
            tokio::spawn(async move {
                let mut held = Vec::new();
                let mut buffer = [0; 1024];
                loop {
                    while let Some(at) = held.windows(3).position(|three| three == b"end") {
                        held.drain(..at + 3);
                        let number = count.fetch_add(1, Ordering::SeqCst) + 1;
                        let answer = if number == 1 {
                            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\n1\r\n0\r\n\r\n"
                                .to_owned()
                        } else {
                            format!("HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n{number}")
                        };
                        if socket.write_all(answer.as_bytes()).await.is_err() {
                            return;
                        }
                    }
                    match socket.read(&mut buffer).await {
                        Ok(read) if read > 0 => held.extend_from_slice(&buffer[..read]),
                        _ => return,
                    }
                }
            });
        }
    });
    (address, seen)
}

const ASKED: &str = "POST / HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: 17\r\n\r\nAction=Act&x=1end";

/// Asks once on a connection of its own; what came before the end, if the end came in good order.
async fn ask(proxy: &Proxy) -> Result<String, std::io::Error> {
    let mut client = TcpStream::connect(proxy.address()).await?;
    client.write_all(ASKED.as_bytes()).await?;
    client.shutdown().await?;
    let mut heard = Vec::new();
    timeout(SOON, client.read_to_end(&mut heard)).await.unwrap()?;
    Ok(String::from_utf8(heard).unwrap())
}

#[tokio::test]
async fn requests_are_judged_one_by_one() {
    let (upstream, seen) = counting().await;
    let verdict = Arc::new(Mutex::new(Verdict::Pass));
    let says = Arc::clone(&verdict);
    let judge: Judge = Arc::new(move |request| {
        assert_eq!(request.action, "Act");
        says.lock().unwrap().clone()
    });
    let proxy = Proxy::speaking(Protocol::Http(judge), upstream).await.unwrap();
    let judged = |to: Verdict| *verdict.lock().unwrap() = to;

    assert!(ask(&proxy).await.unwrap().ends_with("\r\n1\r\n1\r\n0\r\n\r\n"));
    judged(Verdict::Swallow);
    ask(&proxy).await.unwrap_err();
    assert_eq!((seen.load(Ordering::SeqCst), proxy.counts().swallowed), (2, 1));
    judged(Verdict::Twice);
    assert!(ask(&proxy).await.unwrap().ends_with("\r\n\r\n4"));
    assert_eq!((seen.load(Ordering::SeqCst), proxy.counts().doubled), (4, 1));
    judged(Verdict::Drop);
    ask(&proxy).await.unwrap_err();
    judged(Verdict::Answer {
        status: 503,
        content: "text/xml",
        body: "<no/>".to_owned(),
    });
    let answer = ask(&proxy).await.unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 503 ") && answer.ends_with("\r\n\r\n<no/>"),
        "{answer}"
    );
    assert_eq!((seen.load(Ordering::SeqCst), proxy.counts().answered), (4, 1));
    judged(Verdict::Truncate(0));
    assert!(ask(&proxy).await.unwrap().ends_with("content-length: 1\r\n\r\n"));
    judged(Verdict::Garble {
        content: "text/html",
        body: "<html>".to_owned(),
    });
    assert!(ask(&proxy).await.unwrap().ends_with("\r\n\r\n<html>"));
    assert_eq!(seen.load(Ordering::SeqCst), 6);
    assert!(proxy.log().iter().any(|entry| entry.what.contains("swallowed")));
}
