//! The poller against the emulator, through the real SDK.

use super::*;
use crate::quiet::{Quiet, Waiting};
use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::oneshot;

#[tokio::test]
async fn what_settle_could_not_do_stays_in_the_queue_and_the_rest_is_gone() {
    let queue = Queue::start().await.unwrap();
    let quiet = Quiet::default();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let witness = Arc::clone(&seen);
    let settle: SettleBatch = Arc::new(move |event: SqsEvent| {
        let witness = Arc::clone(&witness);
        Box::pin(async move {
            let mut response = SqsBatchResponse::default();
            for message in event.records {
                let body = message.body.unwrap();
                if body == "bad" {
                    let item_identifier = message.message_id.unwrap();
                    let mut failure = BatchItemFailure::default();
                    failure.item_identifier = item_identifier;
                    response.batch_item_failures.push(failure);
                }
                witness.lock().unwrap().push(body);
            }
            Ok(response)
        })
    });
    let (stop, stopping) = oneshot::channel::<()>();
    let poller = Poller::new(queue.clone(), settle, quiet.clone());
    let running = tokio::spawn(poller.run(async move { drop(stopping.await) }));

    let sender = client(queue.http());
    let bodies: Vec<String> = (0..24).map(|number| format!("{number:02}")).chain(["bad".to_owned()]).collect();
    for body in &bodies {
        sender.send_message().queue_url(queue.url()).message_body(body).send().await.unwrap();
    }
    let waiting = || async { Waiting { messages: queue.visible().await.unwrap(), webhooks: 0 } };
    quiet.reached(waiting, Duration::from_secs(20)).await.unwrap();

    let mut handled = seen.lock().unwrap().clone();
    handled.sort();
    assert_eq!(handled, bodies, "each once");
    assert_eq!(hidden(&queue).await, 1, "the bad one waits for its visibility");
    stop.send(()).unwrap();
    running.await.unwrap();
}

/// Messages that were received and not deleted.
async fn hidden(queue: &Queue) -> usize {
    let name = QueueAttributeName::ApproximateNumberOfMessagesNotVisible;
    let asked = queue.client.get_queue_attributes().queue_url(&queue.url).attribute_names(name.clone());
    asked.send().await.unwrap().attributes().unwrap()[&name].parse().unwrap()
}
