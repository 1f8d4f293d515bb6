//! The functions, called as Lambda calls them: by name, with the event that AWS would send.

use std::future::Future;
use std::time::Duration;

use aws_lambda_events::eventbridge::EventBridgeEvent;
use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use escrow_gateways::Gateways;
use escrow_http::app::App;
use escrow_http::problem::Problem;
use escrow_http::reply::Reply;
use escrow_http::serve::{carry_out, serve};
use escrow_http::{Request, Response};

/// How long API Gateway waits for a function that answers HTTP.
const HTTP_LIMIT: Duration = Duration::from_secs(30);

/// Every function, on one set of parts.
pub(crate) struct Functions {
    pub(crate) app: App,
    pub(crate) gateways: Gateways,
}

impl Functions {
    /// Answers a request by the function of that name.
    pub(crate) async fn http(&self, name: &str, request: Request, id: &str) -> Response {
        let (app, gateways) = (&self.app, &self.gateways);
        match name {
            "create-checkout" => {
                let handle = |incoming| async move { create_checkout::handle(app, gateways, incoming).await };
                limited(serve(app, "create-checkout", request, handle), id).await
            }
            "receive-webhook" => {
                let handle = |incoming| async move { receive_webhook::handle(app, gateways, incoming).await };
                limited(serve(app, "receive-webhook", request, handle), id).await
            }
            "release-escrow" => {
                let handle = |incoming| async move { release_escrow::handle(app, incoming).await };
                limited(serve(app, "release-escrow", request, handle), id).await
            }
            "command-escrow" => {
                let handle = |incoming| async move { command_escrow::handle(app, incoming).await };
                limited(serve(app, "command-escrow", request, handle), id).await
            }
            "query-escrow" => {
                let handle = |incoming| async move { query_escrow::handle(app, incoming).await };
                limited(serve(app, "query-escrow", request, handle), id).await
            }
            "onboard-seller" => {
                let handle = |incoming| async move { onboard_seller::handle(app, gateways, incoming).await };
                limited(serve(app, "onboard-seller", request, handle), id).await
            }
            "wallet" => {
                let handle = |incoming| async move { wallet::handle(app, incoming).await };
                limited(serve(app, "wallet", request, handle), id).await
            }
            unknown => not_there(unknown).into_reply(id).into_response(),
        }
    }

    /// Whether a function of that name answers HTTP. The document is checked with this at the start.
    pub(crate) fn answers_http(name: &str) -> bool {
        matches!(
            name,
            "create-checkout"
                | "receive-webhook"
                | "release-escrow"
                | "command-escrow"
                | "query-escrow"
                | "onboard-seller"
                | "wallet"
        )
    }

    /// Does what commits have promised to gateways.
    pub(crate) async fn settle(&self, event: SqsEvent) -> SqsBatchResponse {
        let handle = |line| settle::handle(&self.app, &self.gateways, event, line);
        match carry_out("settle", "local", handle).await {
            Ok(answer) => answer,
            Err(never) => match never {},
        }
    }

    /// Compares journals, states, statements and gateways.
    pub(crate) async fn reconcile(&self) -> Result<reconcile::Reconciled, String> {
        let event = EventBridgeEvent::default();
        let handle = |line| reconcile::handle(&self.app, &self.gateways, event, line);
        carry_out("reconcile", "local", handle).await.map_err(|error| error.to_string())
    }

    /// The same, with so much real time for it.
    pub(crate) async fn reconcile_within(
        &self,
        patience: std::time::Duration,
    ) -> Result<reconcile::Reconciled, String> {
        let line = escrow_http::line::Line::default();
        let run = reconcile::run(&self.app, &self.gateways, patience, &line);
        run.await.map_err(|error| error.to_string())
    }

    /// Does everything whose time has come.
    pub(crate) async fn auto_release(&self) -> Result<(), String> {
        let event = EventBridgeEvent::default();
        let handle = |line| auto_release::handle(&self.app, event, line);
        carry_out("auto-release", "local", handle).await.map(drop).map_err(|error| error.to_string())
    }
}

fn not_there(name: &str) -> Problem {
    Problem::internal(format!("the document names the function {name}, which does not exist"))
}

async fn limited(answer: impl Future<Output = Response>, id: &str) -> Response {
    match tokio::time::timeout(HTTP_LIMIT, answer).await {
        Ok(response) => response,
        Err(_) => Reply::into_response(Problem::unavailable("the function did not answer in 30 s").into_reply(id)),
    }
}
