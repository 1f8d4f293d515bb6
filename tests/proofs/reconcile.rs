//! The reconciler: it books what no webhook has told, finds what does not hold, stops what it touches, and leaves a sound table alone.

mod missed;
mod planted;
mod sound;

use holdfast_tests::deal::Deal;
use holdfast_tests::json::Look;
use holdfast_tests::stack::Stack;
use serde_json::{Value, json};

/// How the day's run looks at it.
async fn reconcile(holdfast: &Stack) -> Value {
    holdfast.api.post("/_local/reconcile").send().await.is(200)
}

/// What it found: `esc_1: the hash chain of the journal is broken`.
fn breaks(report: &Value) -> Vec<String> {
    let found = report.list("/breaks").iter();
    found.map(|found| format!("{}: {}", found.text("/at"), found.text("/what"))).collect()
}

/// From now on nothing that happens at the gateway is told.
async fn deaf(holdfast: &Stack) {
    holdfast.switch_sandbox(json!({ "webhooks": { "drop": ["*"] } })).await;
}

/// Something is done at the gateway.
async fn at_gateway(holdfast: &Stack, path: &str, body: Value) -> Value {
    holdfast.api.post(&format!("/_local/sandbox/stripe/{path}")).json(&body).send().await.is(200)
}

/// The gateway's id of what a deal's buyer has paid.
async fn capture(holdfast: &Stack, deal: &Deal<'_>) -> String {
    let sandbox = holdfast.sandbox().await;
    let ours = |intent: &&Value| intent["metadata"]["escrow_id"] == deal.id.as_str();
    sandbox.list("/payment_intents").iter().find(ours).expect("it was paid").text("/id").to_owned()
}

/// The seller opens an account at the gateway and gives it everything that it asks for.
async fn onboard(holdfast: &Stack) {
    let asked = json!({
        "gateway": "stripe", "return_url": "https://market.example/done", "refresh_url": "https://market.example/again",
    });
    let link = holdfast.seller.post("/v1/sellers/usr_seller/onboarding").json(&asked).send().await.is(201);
    holdfast.api.post(link.text("/url")).json(&json!({ "outcome": "complete" })).send().await.is(200);
    holdfast.settle().await;
}

/// A payout of the seller's that has left.
async fn paid_out(holdfast: &Stack, amount: &str, gateway: &str) -> Value {
    let wish = json!({ "currency": "SAR", "amount": amount, "gateway": gateway });
    let asked = holdfast.seller.post("/v1/wallets/usr_seller/payouts").once().json(&wish).send().await.is(201);
    holdfast.settle().await;
    holdfast.seller.get(&format!("/v1/payouts/{}", asked.text("/id"))).send().await.is(200)
}
