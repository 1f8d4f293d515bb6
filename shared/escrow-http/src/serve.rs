//! Around every handler: the request is taken over, timed, answered, counted and logged, the same way in Lambda and locally.

use crate::app::{App, CONNECT_PATIENCE, StartError};
use crate::line::{HttpEnd, Line};
use crate::metrics::Measure;
use crate::problem::{Answer, Code};
use crate::reply::Reply;
use crate::request::Incoming;
use crate::{Request, Response};
use lambda_runtime::LambdaEvent;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::convert::Infallible;
use std::fmt::Display;
use std::future::Future;
use std::time::Instant;

/// Answers one HTTP request by `handler`. Problems become answers here, and nothing is logged but the one line.
///
/// ```text
/// serve(&app, "release-escrow", request, |incoming| async move { release_escrow::handle(&app, &incoming).await }).await
/// ```
pub async fn serve<F, Fut>(app: &App, function: &'static str, request: Request, handler: F) -> Response
where
    F: FnOnce(Incoming) -> Fut,
    Fut: Future<Output = Answer<Reply>>,
{
    #[expect(
        clippy::disallowed_methods,
        reason = "how long an invocation took is told by the machine's clock, not by the movable one"
    )]
    let started = Instant::now();
    let incoming = Incoming::new(request);
    let line = incoming.line().clone();
    let (request_id, method, path) =
        (incoming.request_id().to_owned(), incoming.method().as_str().to_owned(), incoming.path().to_owned());

    let result = handler(incoming).await;

    let problem = result.as_ref().err().cloned();
    let reply = result.unwrap_or_else(|problem| problem.into_reply(&request_id));
    if let Some(problem) = &problem {
        app.metrics.record(Measure::Refusal(problem.code().as_str()), app.clock.now());
        if problem.code() == Code::Contended {
            app.metrics.record(Measure::Contended, app.clock.now());
        }
    }
    line.end_http(&HttpEnd {
        function,
        request_id: &request_id,
        method: &method,
        path: &path,
        status: reply.status().as_u16(),
        took: started.elapsed(),
        problem: problem.as_ref(),
    });
    reply.header("x-request-id", &request_id).into_response()
}

/// Runs a function behind API Gateway until Lambda ends it.
///
/// # Errors
/// [`StartError::Runtime`] if Lambda's runtime cannot be spoken with.
pub async fn run_http<F, Fut>(function: &'static str, app: &App, handler: F) -> Result<(), StartError>
where
    F: Fn(Incoming) -> Fut + Send + Sync,
    Fut: Future<Output = Answer<Reply>> + Send,
{
    // The issuers' keys are fetched while the function starts, so that its first caller does not wait for them.
    let _ = tokio::time::timeout(CONNECT_PATIENCE, app.auth.fetch_keys(app.clock.now())).await;
    let handler = &handler;
    let service = lambda_http::service_fn(move |request: Request| async move {
        Ok::<_, Infallible>(serve(app, function, request, handler).await)
    });
    lambda_http::run(service).await.map_err(|error| StartError::Runtime(error.to_string()))
}

/// Carries out one invocation that is no HTTP request (a batch of messages, a tick of the schedule) and writes its line.
/// The handler's answer comes with a few words for the log about what was done: `3 escrows, 2 wallets`.
///
/// # Errors
/// Whatever the handler says; it has been logged.
pub async fn carry_out<R, E, F, Fut>(function: &'static str, request_id: &str, handler: F) -> Result<R, E>
where
    E: Display,
    F: FnOnce(Line) -> Fut,
    Fut: Future<Output = Result<(R, String), E>>,
{
    #[expect(
        clippy::disallowed_methods,
        reason = "how long an invocation took is told by the machine's clock, not by the movable one"
    )]
    let started = Instant::now();
    let line = Line::default();
    let result = handler(line.clone()).await;
    match &result {
        Ok((_, done)) => line.end_event(function, request_id, started.elapsed(), Ok(done)),
        Err(error) => line.end_event(function, request_id, started.elapsed(), Err(&error.to_string())),
    }
    result.map(|(answer, _done)| answer)
}

/// Runs a function that is woken by a queue or by the schedule until Lambda ends it.
///
/// # Errors
/// [`StartError::Runtime`] if Lambda's runtime cannot be spoken with.
pub async fn run_events<I, R, E, F, Fut>(function: &'static str, handler: F) -> Result<(), StartError>
where
    I: DeserializeOwned + Send,
    R: Serialize + Send,
    E: Display + Send,
    F: Fn(I, Line) -> Fut + Send + Sync,
    Fut: Future<Output = Result<(R, String), E>> + Send,
{
    let handler = &handler;
    let service = lambda_runtime::service_fn(move |event: LambdaEvent<I>| async move {
        let LambdaEvent { payload, context } = event;
        let result = carry_out(function, &context.request_id, |line| handler(payload, line)).await;
        result.map_err(|error| lambda_runtime::Error::from(error.to_string()))
    });
    lambda_runtime::run(service).await.map_err(|error| StartError::Runtime(error.to_string()))
}

#[cfg(test)]
mod tests;
