//! The local system as a process of its own, which can be killed as `kill -9` kills: nothing is finished, nothing is said.

use std::path::Path;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// A running process of the binary `holdfast`.
#[derive(Debug)]
pub struct Process {
    child: Child,
    url: String,
}

impl Process {
    /// Starts `binary` with its data in `folder` and returns once it answers. Its port is another one each time; what it says goes to
    /// `log`, beside what earlier ones have said.
    pub async fn start(binary: &str, folder: &Path, log: &Path) -> Self {
        let log = std::fs::File::options().create(true).append(true).open(log).expect("the log can be written");
        let mut child = Command::new(binary)
            .args(["--port", "0", "--data"])
            .arg(folder)
            .env_clear()
            .env("HOLDFAST_LOG", "warn")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .expect("the binary can be started");
        let mut lines = BufReader::new(child.stdout.take().expect("its output is ours")).lines();
        let mut said = String::new();
        let url = loop {
            match lines.next_line().await.expect("its output can be read") {
                Some(line) => match line.split_whitespace().find(|word| word.starts_with("http://127.0.0.1:")) {
                    Some(url) => break url.trim_end_matches('/').to_owned(),
                    None => said.push_str(&line),
                },
                None => panic!("it ended before it was ready: {said}"),
            }
        };
        // The rest is read, so that the pipe never fills.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Self { child, url }
    }

    /// Where it answers.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Kills it, and returns when the operating system has buried it.
    pub async fn kill(mut self) {
        self.child.kill().await.expect("a process can be killed");
    }
}
