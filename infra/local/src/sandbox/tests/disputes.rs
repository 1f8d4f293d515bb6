//! Chargebacks and inquiries: how they stand and where their money is are two things, told by two kinds of events.

use super::*;

impl Bench {
    /// Throws a switch of a dispute or a payment; the types that came of it, or the refusal.
    async fn turn(&self, path: &str, json: &str) -> String {
        let thrown = self.tell(&format!("/_local/sandbox/stripe/{path}"), json).await;
        if thrown.status != 200 {
            return thrown.verdict();
        }
        self.sandbox.deliver_due().await;
        let types = self.endpoint.types().join(", ").replace("charge.dispute.", "");
        self.endpoint.forget();
        types
    }

    async fn disputed(&self, json: &str) -> (String, String, String) {
        let intent = self.paid().await;
        let told = self.turn(&format!("payment_intents/{intent}/chargeback"), json).await;
        let listed = self.get(&format!("disputes?payment_intent={intent}")).await.json();
        (intent, format!("disputes/{}", listed["data"][0]["id"].as_str().unwrap()), told)
    }
}

#[tokio::test]
async fn an_inquiry_takes_no_money_unless_it_becomes_a_chargeback() {
    let bench = Bench::new().await;
    let inquiry = r#"{"inquiry": true, "reason": "product_not_received"}"#;
    let (intent, dispute, told) = bench.disputed(inquiry).await;
    assert_eq!(told, "created");
    let shown = bench.get(&dispute).await;
    let read: stripe_shared::Dispute = serde_json::from_str(&shown.text).unwrap();
    assert_eq!((shown.json()["status"].as_str(), read.balance_transactions.len()), (Some("warning_needs_response"), 0));
    assert!(read.is_charge_refundable && shown.json()["balance_transaction"].is_null());
    let refund = format!("payment_intent={intent}&amount=100");
    assert_eq!(bench.post("refunds", &refund).await.status, 200, "the best answer to a question");
    bench.sandbox.deliver_due().await;
    bench.endpoint.forget();
    assert_eq!(bench.turn(&dispute, r#"{"status": "warning_under_review"}"#).await, "updated");
    assert_eq!(bench.turn(&dispute, r#"{"status": "won"}"#).await, "409 dispute_final", "a question is not won");
    assert_eq!(bench.turn(&format!("{dispute}/funds"), r#"{"funds": "withdrawn"}"#).await, "409 funds_final");
    assert_eq!(bench.turn(&dispute, r#"{"status": "needs_response"}"#).await, "updated, funds_withdrawn");
    assert_eq!(bench.post("refunds", &refund).await.verdict(), "400 charge_disputed");
    assert_eq!(bench.turn(&dispute, r#"{"status": "lost"}"#).await, "closed");

    let (intent, dispute, _) = bench.disputed(inquiry).await;
    assert_eq!(bench.turn(&dispute, r#"{"status": "warning_closed"}"#).await, "closed");
    assert_eq!(bench.turn(&dispute, r#"{"status": "needs_response"}"#).await, "409 dispute_final");
    assert_eq!(
        bench.turn(&format!("payment_intents/{intent}/chargeback"), "").await,
        "created, funds_withdrawn",
        "the next one"
    );
}

#[tokio::test]
async fn the_money_of_a_dispute_may_move_long_before_or_after_what_it_belongs_to() {
    let bench = Bench::new().await;
    let (_, dispute, told) = bench.disputed(r#"{"withdraw": false, "amount": 5000}"#).await;
    let funds = format!("{dispute}/funds");
    assert_eq!(told, "created");
    assert_eq!(bench.turn(&funds, r#"{"funds": "reinstated"}"#).await, "409 funds_final", "nothing has gone yet");
    assert_eq!(bench.turn(&dispute, r#"{"status": "won", "funds": false}"#).await, "closed");
    assert_eq!(bench.turn(&funds, r#"{"funds": "withdrawn"}"#).await, "funds_withdrawn");
    assert_eq!(bench.turn(&funds, r#"{"funds": "withdrawn"}"#).await, "409 funds_final");
    assert_eq!(bench.turn(&funds, r#"{"funds": "reinstated"}"#).await, "funds_reinstated");
    assert_eq!(bench.turn(&funds, r#"{"funds": "reinstated"}"#).await, "409 funds_final");
    let shown: stripe_shared::Dispute = serde_json::from_str(&bench.get(&dispute).await.text).unwrap();
    let moved: Vec<(i64, i64)> = shown.balance_transactions.iter().map(|moved| (moved.amount, moved.fee)).collect();
    assert_eq!(moved, [(-5_000, 145), (5_000, 0)]);
    assert_eq!(bench.turn("disputes/du_x/funds", r#"{"funds": "withdrawn"}"#).await, "404 not_found");
    assert_eq!(bench.turn(&funds, r#"{"funds": "gone"}"#).await, "400 body_invalid");
}

#[tokio::test]
async fn disputes_and_their_money_survive_a_kill() {
    let folder = Folder::new();
    let clock = Clock::standing(START);
    let before = Bench::over(Some(&folder.0), clock.clone()).await;
    let (intent, dispute, _) = before.disputed("").await;
    let known = before.get(&dispute).await.text;
    before.sandbox.stop();
    let after = Bench::over(Some(&folder.0), clock).await;
    assert_eq!(after.get(&dispute).await.text, known);
    assert_eq!(after.post("refunds", &format!("payment_intent={intent}")).await.verdict(), "400 charge_disputed");
    assert_eq!(after.turn(&dispute, r#"{"status": "won"}"#).await, "closed, funds_reinstated");
}
