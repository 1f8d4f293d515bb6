//! The command line.

use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use escrow_http::config::Variables;
use escrow_http::telemetry;

use crate::demo;
use crate::folder::Data;
use crate::local::{Local, Options};
use crate::settings::Given;
use crate::verify_table::VerifyTable;

/// Holdfast on this machine: the API, a DynamoDB, queues, schedules and a payment sandbox in one process.
#[derive(Debug, Parser)]
#[command(name = "holdfast", version, args_conflicts_with_subcommands = true, after_help = ENVIRONMENT)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    /// Port on 127.0.0.1 (0: any that is free)
    #[arg(long, default_value_t = 3000, value_name = "PORT")]
    port: u16,
    /// Folder for everything that must survive a restart, or "memory" to keep nothing
    #[arg(long, default_value = ".holdfast", value_name = "DIR|memory")]
    data: Data,
}

const ENVIRONMENT: &str = "\
Environment:
  STRIPE_SECRET_KEY      use the real Stripe with this key instead of the sandbox
  STRIPE_API_BASE        use whatever speaks Stripe's API at this address
  STRIPE_WEBHOOK_SECRET  what webhooks are signed with; several, separated by commas, while rotating
  HOLDFAST_LOG           which log lines: info, warn, debug, escrow_store=debug
  HOLDFAST_…             the deployment's other settings, such as HOLDFAST_FEE_BASIS_POINTS";

#[derive(Debug, Subcommand)]
enum Command {
    /// Play the main job, from checkout to automatic release, and print each step
    Demo,
    /// Read a live table from end to end, replay every journal and check every invariant; writes nothing
    ///
    /// Exit status: 0 everything holds, 1 something does not, 2 the table could not be read.
    Verify(VerifyTable),
}

/// Runs the command line to its end.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    // The demo prints the story itself; a request's line would only come between.
    // The embedded DynamoDB warns of every failed condition, and those are how races are decided.
    let usual = if cli.command.is_some() { "warn,dynoxide=error" } else { "info,dynoxide=error" };
    let mut said = settings();
    said.entry("HOLDFAST_LOG".to_owned()).or_insert_with(|| usual.to_owned());
    telemetry::start(&Variables::new(said));
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error),
    };
    match cli.command {
        None => runtime.block_on(serve(cli.port, cli.data)),
        Some(Command::Verify(table)) => runtime.block_on(table.run(aws_keys())),
        Some(Command::Demo) => match runtime.block_on(demo::play()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => failed(&error),
        },
    }
}

async fn serve(port: u16, data: Data) -> ExitCode {
    let options = Options { data: data.clone(), port, settings: settings(), faults: None };
    let local = match Local::start(options).await {
        Ok(local) => local,
        Err(error) => return failed(&error),
    };
    say(&greeting(&local, &data));
    let mut asked = false;
    loop {
        tokio::select! {
            () = local.ended() => return if asked { ExitCode::SUCCESS } else { ExitCode::FAILURE },
            () = asked_to_stop() => {
                if !asked {
                    say("Stopping; what is in hand is finished first. Once more stops at once.\n");
                }
                local.ask_to_stop(asked);
                asked = true;
            }
        }
    }
}

/// Ctrl-C, or what service managers send.
async fn asked_to_stop() {
    let interrupt = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = interrupt => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    if interrupt.await.is_err() {
        // Without signals there is only the hard way to stop.
        std::future::pending().await
    }
}

/// What the environment says to Holdfast and about gateways; an empty variable counts as not set.
#[expect(clippy::disallowed_methods, reason = "this is where the local stack reads the environment")]
fn settings() -> Given {
    const OURS: [&str; 6] = ["HOLDFAST_", "STRIPE_", "PAYPAL_", "PAYTABS_", "MOYASAR_", "FATORA_"];
    std::env::vars()
        .filter(|(name, value)| OURS.iter().any(|prefix| name.starts_with(prefix)) && !value.trim().is_empty())
        .collect()
}

/// The keys of AWS, as its tools put them into the environment.
#[expect(clippy::disallowed_methods, reason = "this is where the local stack reads the environment")]
fn aws_keys() -> Given {
    std::env::vars().filter(|(name, value)| name.starts_with("AWS_") && !value.trim().is_empty()).collect()
}

fn greeting(local: &Local, data: &Data) -> String {
    let url = local.url();
    let stripe = if local.has_sandbox() { "its own sandbox" } else { "the real one, or what STRIPE_API_BASE names" };
    let kept = match data {
        Data::Folder(path) => format!("kept in {}", path.display()),
        Data::Memory => "in memory, gone when this stops".to_owned(),
    };
    let sandbox = if local.has_sandbox() {
        format!(
            "\n  {url}/_local/sandbox/stripe   what the sandbox knows: payments and their pages, sellers, its switches"
        )
    } else {
        String::new()
    };
    format!(
        r#"
Holdfast is ready. Data is {kept}; Stripe is {stripe}.

  {url}/          where to begin
  {url}/docs      the API's reference
  {url}/_local/health{sandbox}

Try it:

  TOKEN=$(curl -s {url}/_local/tokens -d '{{"sub": "usr_buyer"}}' | sed 's/.*"token":"\([^"]*\)".*/\1/')

  curl -s {url}/v1/checkouts -H "authorization: Bearer $TOKEN" \
    -H 'idempotency-key: my-first' -H 'content-type: application/json' -d '{{
      "kind": "service", "subject": {{"type": "job", "id": "job_42"}},
      "buyer": "usr_buyer", "seller": "usr_seller",
      "currency": "SAR", "amount": "150.00", "gateway": "stripe"}}'

  Open the checkout's url and pay. Once usr_seller has delivered (POST /v1/escrows/{{id}}/deliver), let a week pass:

  curl -s {url}/_local/clock -d '{{"advance": "P7D"}}'

Ctrl-C stops it. `cargo run -- demo` plays the whole story.
"#
    )
}

fn failed(error: &dyn std::error::Error) -> ExitCode {
    complain(error);
    ExitCode::FAILURE
}

/// Says what is wrong.
pub(crate) fn complain(error: &dyn std::error::Error) {
    // A terminal that is gone is no reason to fail differently.
    let _ = writeln!(std::io::stderr(), "holdfast: {error}");
}

/// Prints for people. A reader that is gone is no reason to stop serving.
pub(crate) fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes());
    let _ = out.flush();
}
