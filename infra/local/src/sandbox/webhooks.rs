//! Events on their way to the webhook endpoint: signed, in their steps, and again until they are taken.

use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::Bytes;
use escrow_domain::time::{Period, Timestamp};
use hmac::{Hmac, KeyInit, Mac};
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use sha2::Sha256;
use tokio::task::JoinSet;

use super::Sandbox;
use super::book::{Delivery, DeliveryState, Record};
use super::change::Cause;
use super::journal::JournalError;

/// What posts webhooks.
pub(super) type Client = HyperClient<HttpConnector, Full<Bytes>>;

/// How long the endpoint may take, in real time.
const PATIENCE: Duration = Duration::from_secs(30);
/// An endpoint's answer is only read to its end so that the connection can be used again; more than this is cut off.
const LONGEST_ANSWER: usize = 64 * 1024;
/// How long after a failed attempt the next one comes, by the one clock; the last one repeats. Stripe says only that
/// retries go on for up to three days with exponential back-off (docs.stripe.com/webhooks).
const RETRIES: [Period; 7] = [
    Period::minutes(1),
    Period::minutes(5),
    Period::minutes(30),
    Period::hours(2),
    Period::hours(5),
    Period::hours(10),
    Period::hours(12),
];
const GIVEN_UP_AFTER: Period = Period::days(3);

/// Connections are kept, as a real gateway keeps them.
pub(super) fn client() -> Client {
    HyperClient::builder(TokioExecutor::new()).build(HttpConnector::new())
}

/// The header `Stripe-Signature` (docs.stripe.com/webhooks/signature): HMAC-SHA256 over `t.body`; the key is the whole
/// secret, `whsec_` included.
pub(super) fn signature(secret: &str, at: Timestamp, body: &str) -> String {
    let seconds = at.as_seconds();
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else {
        // HMAC takes keys of every length; the type does not know that.
        return String::new();
    };
    mac.update(format!("{seconds}.").as_bytes());
    mac.update(body.as_bytes());
    format!("t={seconds},v1={}", hex::encode(mac.finalize().into_bytes()))
}

/// Work that was taken in hand.
enum Work {
    /// All steps of a batch that have not been tried yet.
    Batch(u64),
    /// One delivery whose retry is due.
    Retry(u64),
}

impl Sandbox {
    /// Lets sessions expire whose time is over, and takes everything in hand that is due. Does not wait for it.
    pub(super) fn tend(&self) -> Result<(), JournalError> {
        let now = self.shared.clock.now();
        let mut desk = self.desk();
        self.change_on(&mut desk, Cause::default(), None, |_| ())?;
        if self.shared.holding.load(Ordering::SeqCst) {
            return Ok(());
        }
        let mut due = Vec::new();
        for delivery in desk.book.waiting_deliveries() {
            if delivery.attempts == 0 {
                due.push(Work::Batch(delivery.batch));
            } else if delivery.due <= now.as_millis() {
                due.push(Work::Retry(delivery.number));
            }
        }
        due.retain(|work| match work {
            Work::Batch(batch) => desk.batches_in_hand.insert(*batch),
            Work::Retry(number) => desk.retries_in_hand.insert(*number),
        });
        drop(desk);
        let mut tasks = self.shared.tasks.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        for work in due {
            let in_hand = InHand { sandbox: self.clone(), work };
            tasks.spawn(async move { in_hand.finish().await });
        }
        Ok(())
    }

    /// Tries one delivery once, and writes down what came of it.
    async fn attempt(&self, number: u64) -> Result<(), JournalError> {
        let (event, body) = {
            let desk = self.desk();
            let Some(delivery) = desk.book.deliveries.get(&number) else { return Ok(()) };
            let body = desk.book.events.get(&delivery.event).map(|event| event.body.clone());
            (delivery.event.clone(), body.unwrap_or_default())
        };
        let now = self.shared.clock.now();
        let header = signature(&self.shared.settings.webhook_secret, now, &body);
        let status = self.post(body, Some(&header)).await;
        if !status.is_some_and(|status| status.is_success()) {
            tracing::info!(event, status = status.map(|status| status.as_u16()), "webhook.not_taken");
        }
        self.change(Cause::default(), None, |change| {
            let now = change.now;
            if let Some(delivery) = change.book.deliveries.get(&number) {
                change.put(Record::Delivery(after_attempt(delivery, status, now)));
            }
        })
    }

    /// Posts to the endpoint. None when there was no answer.
    pub(super) async fn post(&self, body: String, signature: Option<&str>) -> Option<StatusCode> {
        let mut request = Request::post(&self.shared.settings.webhook_url)
            .header(header::CONTENT_TYPE, "application/json; charset=utf-8")
            .header(header::USER_AGENT, "Stripe/1.0 (+https://stripe.com/docs/webhooks)")
            .header(header::ACCEPT, "*/*; q=0.5, application/xml")
            .header(header::CACHE_CONTROL, "no-cache");
        if let Some(signature) = signature {
            request = request.header("stripe-signature", signature);
        }
        let request = request.body(Full::new(Bytes::from(body))).ok()?;
        let answered = async {
            let response = self.shared.http.request(request).await.ok()?;
            let status = response.status();
            // Whether it can be read does not matter: the status is the answer.
            let _ = Limited::new(response.into_body(), LONGEST_ANSWER).collect().await;
            Some(status)
        };
        tokio::time::timeout(PATIENCE, answered).await.ok().flatten()
    }
}

fn after_attempt(delivery: &Delivery, status: Option<StatusCode>, now: Timestamp) -> Delivery {
    let first_try = delivery.first_try.unwrap_or(now.as_millis());
    let wait = usize::try_from(delivery.attempts).ok().and_then(|attempts| RETRIES.get(attempts));
    let wait = wait.or(RETRIES.last()).copied().unwrap_or(GIVEN_UP_AFTER);
    let due = now.after(wait);
    let state = if status.is_some_and(|status| status.is_success()) {
        DeliveryState::Delivered
    } else if due > Timestamp::from_millis(first_try).after(GIVEN_UP_AFTER) {
        DeliveryState::GivenUp
    } else {
        DeliveryState::Waiting
    };
    Delivery {
        attempts: delivery.attempts.saturating_add(1),
        first_try: Some(first_try),
        due: due.as_millis(),
        state,
        status: status.map(|status| status.as_u16()),
        ..delivery.clone()
    }
}

/// Work in hand; whatever happens to its task, it is put back when this goes.
struct InHand {
    sandbox: Sandbox,
    work: Work,
}

impl InHand {
    async fn finish(self) {
        let done = match self.work {
            Work::Batch(batch) => self.batch(batch).await,
            Work::Retry(number) => self.sandbox.attempt(number).await,
        };
        if let Err(error) = done {
            tracing::debug!(%error, "webhook.not_written_down");
        }
    }

    /// Step after step; what a step holds goes out together.
    async fn batch(&self, batch: u64) -> Result<(), JournalError> {
        let delay = self.untried(batch).first().map_or(0, |delivery| delivery.delay_ms);
        if delay > 0 {
            tokio::time::sleep(Duration::from_millis(delay)).await;
        }
        while !self.sandbox.shared.holding.load(Ordering::SeqCst) {
            let untried = self.untried(batch);
            let Some(step) = untried.iter().map(|delivery| delivery.step).min() else { return Ok(()) };
            let mut together = JoinSet::new();
            for delivery in untried.into_iter().filter(|delivery| delivery.step == step) {
                let sandbox = self.sandbox.clone();
                together.spawn(async move { sandbox.attempt(delivery.number).await });
            }
            while let Some(attempted) = together.join_next().await {
                // A task that could not finish has written nothing; its delivery would be tried for ever.
                attempted.map_err(|_| JournalError::Closed)??;
            }
        }
        Ok(())
    }

    fn untried(&self, batch: u64) -> Vec<Delivery> {
        let desk = self.sandbox.desk();
        let untried = |delivery: &&Delivery| delivery.batch == batch && delivery.attempts == 0;
        desk.book.waiting_deliveries().filter(untried).cloned().collect()
    }
}

impl Drop for InHand {
    fn drop(&mut self) {
        let mut desk = self.sandbox.desk();
        match self.work {
            Work::Batch(batch) => desk.batches_in_hand.remove(&batch),
            Work::Retry(number) => desk.retries_in_hand.remove(&number),
        };
        drop(desk);
        self.sandbox.changed();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting() -> Delivery {
        Delivery {
            number: 1,
            event: "evt_1".to_owned(),
            batch: 1,
            step: 0,
            delay_ms: 0,
            attempts: 0,
            first_try: None,
            due: 0,
            state: DeliveryState::Waiting,
            status: None,
        }
    }

    #[test]
    fn the_signature_is_that_of_the_published_vector() {
        let body = r#"{"id":"evt_test_1","object":"event","type":"checkout.session.completed"}"#;
        let signed = signature("whsec_test_secret", Timestamp::from_seconds(1_700_000_000), body);
        assert_eq!(signed, "t=1700000000,v1=ca796b857b81e24d595a4c37abf88d2fafb533a32ede6ce4cfc9b0e892a35b08");
    }

    #[test]
    fn a_webhook_is_tried_for_three_days_at_growing_intervals() {
        let mut delivery = waiting();
        let (mut now, mut last) = (Timestamp::from_seconds(1_000), Period::ZERO);
        while delivery.state == DeliveryState::Waiting {
            delivery = after_attempt(&delivery, Some(StatusCode::SERVICE_UNAVAILABLE), now);
            let wait = Timestamp::from_millis(delivery.due).since(now);
            assert!(wait >= last, "{wait} after {last}");
            (now, last) = (Timestamp::from_millis(delivery.due), wait);
        }
        assert_eq!((delivery.state, delivery.attempts), (DeliveryState::GivenUp, 11));
        assert!(now.since(Timestamp::from_seconds(1_000)) > GIVEN_UP_AFTER);
    }

    #[test]
    fn only_a_status_of_the_two_hundreds_is_an_arrival() {
        let now = Timestamp::from_seconds(1_000);
        for (status, state) in [
            (Some(StatusCode::OK), DeliveryState::Delivered),
            (Some(StatusCode::NO_CONTENT), DeliveryState::Delivered),
            (Some(StatusCode::FOUND), DeliveryState::Waiting),
            (Some(StatusCode::BAD_REQUEST), DeliveryState::Waiting),
            (None, DeliveryState::Waiting),
        ] {
            assert_eq!(after_attempt(&waiting(), status, now).state, state, "{status:?}");
        }
    }
}
