//! What the sandbox has said, it knows after a kill.

use super::*;

/// What there is, without what belongs to one process.
async fn remembered(bench: &Bench) -> Value {
    let mut state = bench.state().await;
    state["calls"] = Value::Null;
    for session in state["sessions"].as_array_mut().unwrap() {
        session["url"] = Value::Null;
    }
    for intent in state["payment_intents"].as_array_mut().unwrap() {
        intent["page"] = Value::Null;
    }
    state
}

#[tokio::test]
async fn nothing_that_was_answered_is_lost_by_a_kill() {
    let folder = Folder::new();
    let clock = Clock::standing(START);
    let before = Bench::over(Some(&folder.0), clock.clone()).await;
    let open = before.checkout().await;
    let intent = before.paid().await;
    let form = format!("payment_intent={intent}&metadata[refund_id]=ref_1");
    let refund = before.try_post("refunds", &form, Some("ref_1-1")).await.unwrap();
    before.set(r#"{"next": [{"refunds": "timeout_after"}], "webhooks": {"drop": ["charge.refunded"]}}"#).await;
    before.play(&open, r#"{"outcome": "pending", "duplicates": 2}"#).await;
    let known = remembered(&before).await;
    // No farewell: the file is what a kill leaves.
    before.sandbox.stop();

    let after = Bench::over(Some(&folder.0), clock).await;
    assert_eq!(remembered(&after).await, known);
    after.set(r#"{"next": []}"#).await;
    let again = after.try_post("refunds", &form, Some("ref_1-1")).await.unwrap();
    assert_eq!((again.status, &again.text), (200, &refund.text));
    after.sandbox.deliver_due().await;
    let mut types = after.endpoint.types();
    types.sort();
    types.dedup();
    assert_eq!(
        types,
        [
            "charge.refunded",
            "checkout.session.completed",
            "payment_intent.processing",
            "refund.created",
            "refund.updated",
        ]
    );
    assert_eq!(after.play(&open, r#"{"outcome": "paid"}"#).await.status, 200);
}

#[tokio::test]
async fn a_last_line_that_was_never_finished_is_as_if_it_had_not_begun() {
    let folder = Folder::new();
    let clock = Clock::standing(START);
    let before = Bench::over(Some(&folder.0), clock.clone()).await;
    let intent = before.paid().await;
    let known = remembered(&before).await;
    let whole = std::fs::read(folder.file()).unwrap();
    before.post("refunds", &format!("payment_intent={intent}")).await;
    before.sandbox.stop();
    let all = std::fs::read(folder.file()).unwrap();
    assert!(all.len() > whole.len() + 2);
    for length in [whole.len() + 1, all.len() / 2 + whole.len() / 2, all.len() - 1] {
        std::fs::write(folder.file(), &all[..length]).unwrap();
        let after = Bench::over(Some(&folder.0), clock.clone()).await;
        assert_eq!(remembered(&after).await, known, "{length} of {} bytes", all.len());
        assert_eq!(after.post("refunds", &format!("payment_intent={intent}")).await.status, 200, "and it goes on");
        after.sandbox.stop();
        let reopened = Bench::over(Some(&folder.0), clock.clone()).await;
        assert_eq!(reopened.state().await["refunds"].as_array().unwrap().len(), 1);
        reopened.sandbox.stop();
    }
    std::fs::write(folder.file(), &all[..7]).unwrap();
    assert_eq!(Bench::over(Some(&folder.0), clock).await.state().await["sessions"], serde_json::json!([]));
}

#[tokio::test]
async fn a_line_that_something_else_has_damaged_is_an_error_and_not_a_guess() {
    let folder = Folder::new();
    let clock = Clock::standing(START);
    let bench = Bench::over(Some(&folder.0), clock.clone()).await;
    bench.paid().await;
    bench.sandbox.stop();
    let settings = bench.sandbox.shared.settings.clone();
    let text = std::fs::read_to_string(folder.file()).unwrap();
    for (damaged, complaint) in [
        (text.replacen("\"session\"", "\"sessiom\"", 1), "is damaged in line 2"),
        (text.replacen("\"format\":1", "\"format\":2", 1), "is not a journal"),
    ] {
        assert_ne!(damaged, text);
        std::fs::write(folder.file(), damaged).unwrap();
        let error = Sandbox::open(Some(&folder.0), settings.clone(), clock.clone()).unwrap_err();
        assert!(error.to_string().contains(complaint), "{error}");
    }
}

#[tokio::test]
async fn after_the_end_nothing_is_written_and_nothing_is_promised() {
    let folder = Folder::new();
    let bench = Bench::over(Some(&folder.0), Clock::standing(START)).await;
    let session = bench.checkout().await;
    bench.play(&session, r#"{"outcome": "paid"}"#).await;
    bench.sandbox.stop();
    let length = std::fs::metadata(folder.file()).unwrap().len();
    bench.sandbox.deliver_due().await;
    assert_eq!(bench.post("checkout/sessions", CHECKOUT).await.status, 500);
    assert_eq!(bench.play(&session, r#"{"outcome": "paid"}"#).await.status, 500);
    assert_eq!((bench.endpoint.types().len(), std::fs::metadata(folder.file()).unwrap().len()), (0, length));
}

#[tokio::test]
async fn what_is_over_and_done_does_not_fill_the_disk_for_ever() {
    let folder = Folder::new();
    let clock = Clock::standing(START);
    let bench = Bench::over(Some(&folder.0), clock.clone()).await;
    let intent = bench.paid().await;
    let record = {
        let desk = bench.sandbox.desk();
        super::super::book::Record::Intent(desk.book.intents[&intent].clone())
    };
    // A long day: the same few objects, written again and again.
    bench.sandbox.desk().journal.append(&vec![record; 1_500]).unwrap();
    let known = remembered(&bench).await;
    bench.sandbox.stop();
    let long = std::fs::metadata(folder.file()).unwrap().len();
    let after = Bench::over(Some(&folder.0), clock.clone()).await;
    assert!(std::fs::metadata(folder.file()).unwrap().len() < long / 10);
    assert_eq!(remembered(&after).await, known);
    assert_eq!(after.post("refunds", &format!("payment_intent={intent}")).await.status, 200);
    after.sandbox.stop();
    assert_eq!(Bench::over(Some(&folder.0), clock).await.state().await["refunds"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn what_was_kept_before_there_were_balance_transactions_has_them_after_a_start() {
    let folder = Folder::new();
    let clock = Clock::standing(START);
    let before = Bench::over(Some(&folder.0), clock.clone()).await;
    let intent = before.paid().await;
    before.post("refunds", &format!("payment_intent={intent}&amount=1000")).await;
    before.tell(&format!("/_local/sandbox/stripe/payment_intents/{intent}/chargeback"), "").await;
    let without_times = |text: &str| -> Vec<String> {
        let listed: Value = serde_json::from_str(text).unwrap();
        let line = |line: &Value| format!("{} {} {} {}", line["id"], line["type"], line["net"], line["source"]);
        listed["data"].as_array().unwrap().iter().map(line).collect()
    };
    let known = without_times(&before.get("balance_transactions").await.text);
    assert_eq!(known.len(), 3);
    before.sandbox.stop();
    let lines: Vec<String> = std::fs::read_to_string(folder.file())
        .unwrap()
        .lines()
        .map(|line| match serde_json::from_str(line).unwrap() {
            Value::Array(records) => {
                let old = records.into_iter().filter(|record| record.get("transaction").is_none());
                Value::Array(old.collect()).to_string()
            }
            _ => line.to_owned(),
        })
        .collect();
    std::fs::write(folder.file(), lines.join("\n") + "\n").unwrap();
    for _ in 0..2 {
        let after = Bench::over(Some(&folder.0), clock.clone()).await;
        assert_eq!(without_times(&after.get("balance_transactions").await.text), known);
        after.sandbox.stop();
    }
}
