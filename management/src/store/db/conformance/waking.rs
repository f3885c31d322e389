//! Wake-ups.

use super::*;

const SOON: Duration = Duration::from_secs(10);
const NOT: Duration = Duration::from_millis(50);

on_both! {
    async fn a_commit_wakes_and_a_rollback_does_not(test: TestDb) {
        let db = tables(&test).await;
        let (mine, other) = (lane("000000000001"), lane("000000000002"));
        let (mut waits, mut idle) = (db.subscribe(mine.clone()), db.subscribe(other));
        let topic = mine.clone();
        let failed: Result<(), StoreError> = db.write("fails", move |tx| Box::pin(async move {
            tx.execute("INSERT INTO thing (id) VALUES ('a')", &[]).await?;
            tx.after_commit(topic);
            Err(StoreError::misuse("fails", "on purpose"))
        })).await;
        assert!(failed.is_err());
        // PostgreSQL's listener wakes everybody once, when it begins.
        let _ = tokio::time::timeout(NOT * 4, waits.woken()).await;
        let _ = tokio::time::timeout(NOT * 4, idle.woken()).await;
        assert!(tokio::time::timeout(NOT, waits.woken()).await.is_err());

        let done: Result<u64, StoreError> = db.write("succeeds", move |tx| Box::pin(async move {
            tx.after_commit(mine.clone());
            tx.after_commit(mine);
            tx.execute("INSERT INTO thing (id) VALUES ('a')", &[]).await
        })).await;
        done.unwrap();
        tokio::time::timeout(SOON, waits.woken()).await.unwrap();
        assert_eq!(ids(&db).await, ["a"]);
        assert!(tokio::time::timeout(NOT, waits.woken()).await.is_err());
        assert!(tokio::time::timeout(NOT, idle.woken()).await.is_err());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_hub_on_postgres_is_woken_too() {
    let test = crate::store::db::testing::postgres().await;
    let db = tables(&test).await;
    let other = test.open_again().await;
    let mut waits = other.subscribe(Topic::Outbox);
    // Written until heard: the listener of the other hub may not listen yet.
    let writer = tokio::spawn(async move {
        loop {
            let done: Result<u64, StoreError> = db
                .write("outbox", |tx| {
                    Box::pin(async move {
                        tx.after_commit(Topic::Outbox);
                        tx.execute("UPDATE tally SET count = count + 1", &[]).await
                    })
                })
                .await;
            done.unwrap();
            tokio::time::sleep(NOT).await;
        }
    });
    // The first may be the listener's own beginning.
    for _ in 0..2 {
        tokio::time::timeout(SOON, waits.woken()).await.unwrap();
    }
    writer.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn wake_ups_of_many_transactions_are_few_messages() {
    let test = crate::store::db::testing::postgres().await;
    let db = tables(&test).await;
    let (client, mut connection) = tokio_postgres::connect(&test.place, tokio_postgres::NoTls)
        .await
        .unwrap();
    let (heard, mut messages) = tokio::sync::mpsc::unbounded_channel();
    let driver = tokio::spawn(async move {
        while let Some(Ok(message)) = std::future::poll_fn(|cx| connection.poll_message(cx)).await {
            if let tokio_postgres::AsyncMessage::Notification(message) = message {
                heard.send(message.payload().to_owned()).unwrap();
            }
        }
    });
    client.batch_execute("LISTEN hadron").await.unwrap();
    // Until the hub's own connection is there and tells.
    let told = |topic: Topic| {
        let db = db.clone();
        async move {
            let done: Result<(), StoreError> = db
                .write("tells", |tx| {
                    Box::pin(async move {
                        tx.after_commit(topic);
                        tx.execute("UPDATE tally SET count = count + 1", &[])
                            .await
                            .map(drop)
                    })
                })
                .await;
            done.unwrap();
        }
    };
    loop {
        told(Topic::Changes).await;
        if tokio::time::timeout(NOT, messages.recv()).await.is_ok() {
            break;
        }
    }
    const MANY: u64 = 300;
    let writes = (0..MANY).map(|number| tokio::spawn(told(lane(&format!("{:012}", number % 10)))));
    for done in join_all(writes).await {
        done.unwrap();
    }
    // Every lane is heard of, in fewer messages than there were transactions.
    let (mut lanes, mut count) = (BTreeSet::new(), 0);
    while lanes.len() < 10 {
        let message = tokio::time::timeout(SOON, messages.recv())
            .await
            .unwrap()
            .unwrap();
        count += 1;
        lanes.extend(
            message
                .split(' ')
                .filter(|word| word.starts_with("jobs/"))
                .map(str::to_owned),
        );
    }
    while messages.try_recv().is_ok() {
        count += 1;
    }
    assert!(count < MANY, "{count} messages for {MANY} transactions");
    driver.abort();
}
