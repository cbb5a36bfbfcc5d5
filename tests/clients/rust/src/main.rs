//! Talks to ClickHouse as the crate `clickhouse` does; says on one line what came of it.
use std::time::Duration;

use clickhouse::{error::Error, Client, Compression, Row};
use serde::{Deserialize, Serialize};
use serde_json::json;

const ROWS: u64 = 1000;

#[derive(Row, Serialize)]
struct Thing {
    id: u64,
    name: String,
    tags: Vec<String>,
    note: Option<String>,
    day: u32,
}

#[derive(Row, Deserialize)]
struct Number {
    number: u64,
    text: String,
}

#[derive(Row, Deserialize)]
struct Parameters {
    number: u32,
    text: String,
}

async fn insert(client: &Client) -> Result<(), Error> {
    let mut insert = client.insert::<Thing>("things").await?;
    for id in 0..ROWS {
        let note = (id % 2 == 0).then(|| format!("note {id}"));
        let tags = vec!["a".to_owned(), id.to_string()];
        let name = format!("it's {id}");
        insert.write(&Thing { id, name, tags, note, day: 1_767_323_045 }).await?;
    }
    insert.end().await
}

async fn read(client: &Client, sql: &str) -> Result<(u64, u64), Error> {
    let mut cursor = client.query(sql).fetch::<Number>()?;
    let (mut count, mut sum) = (0, 0);
    while let Some(row) = cursor.next().await? {
        assert_eq!(row.text, row.number.to_string());
        count += 1;
        sum += row.number;
    }
    Ok((count, sum))
}

fn code<T>(result: Result<T, Error>) -> u32 {
    let Err(error) = result else { return 0 };
    let text = error.to_string();
    let found = text.split("Code: ").nth(1).and_then(|rest| rest.split('.').next());
    found.and_then(|digits| digits.parse().ok()).unwrap_or_else(|| {
        eprintln!("no code: {text}");
        0
    })
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, url, user, password, database, endless, big, late] = &arguments[..] else {
        panic!("URL USER PASSWORD DATABASE ENDLESS BIG LATE");
    };
    let client = Client::default()
        .with_url(url)
        .with_user(user)
        .with_password(password)
        .with_database(database);
    let plain = client.clone().with_compression(Compression::None);
    let version: String = client.query("SELECT version()").fetch_one().await?;
    let version: Vec<&str> = version.split('.').take(2).collect();

    let sql = "SELECT {number:UInt32} AS number, {text:String} AS text";
    let parameters: Parameters =
        client.query(sql).param("number", 7).param("text", "it's").fetch_one().await?;
    let bound: String = client.query("SELECT concat(?, '')").bind("it's").fetch_one().await?;
    assert_eq!(bound, "it's");

    insert(&client).await?;
    insert(&plain).await?;
    let packed = read(&client, big).await?;
    let unpacked = read(&plain, big).await?;
    let error_packed = code(client.query("SELECT number, text FROM nowhere").fetch_all::<Number>().await);
    let error = code(plain.query("SELECT number, text FROM nowhere").fetch_all::<Number>().await);
    let late_error = code(read(&client, late).await);

    let running = client
        .query(endless)
        .with_setting("query_id", format!("rust-cancel-{database}"))
        .fetch_one::<u64>();
    let ended = tokio::time::timeout(Duration::from_secs(1), running).await;
    let said = json!({
        "connect": version.join("."),
        "parameters": [parameters.number, parameters.text],
        "inserted": 2 * ROWS,
        "big": [unpacked.0, unpacked.1],
        "big_packed": [packed.0, packed.1],
        "error": error,
        "error_packed": error_packed,
        "late_error": late_error,
        "cancelled": ended.is_err(),
    });
    println!("{said}");
    Ok(())
}
