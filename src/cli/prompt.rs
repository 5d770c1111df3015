//! Questions of hosts on the terminal: passphrases, codes, unknown host keys, sudo passwords. Without a terminal there is no answer.

use crate::deck::{Prompt, Question, Secret};
use async_trait::async_trait;
use nix::sys::termios::{LocalFlags, SetArg, tcgetattr, tcsetattr};
use std::io::{BufRead, BufReader, Write};

/// Asks on /dev/tty, as ssh does.
pub struct TerminalPrompt;

#[async_trait]
impl Prompt for TerminalPrompt {
    async fn ask(&self, question: Question) -> Option<Secret> {
        tokio::task::spawn_blocking(move || ask(&question)).await.ok().flatten()
    }
    fn why_not(&self) -> &'static str {
        "no terminal to ask on"
    }
}

fn ask(question: &Question) -> Option<Secret> {
    let mut terminal = std::fs::OpenOptions::new().read(true).write(true).open("/dev/tty").ok()?;
    let text = match question {
        Question::Passphrase { file } => format!("Passphrase of {file}: "),
        Question::Password { user, host } => format!("Password of {user} on {host}: "),
        Question::OneTimeCode { host, text } => format!("{host} asks: {text} "),
        Question::HostKey { host, fingerprint, file } => {
            format!("The host key of {host} is not known. Its fingerprint is {fingerprint}.\nIs it right (yes is kept in {file})? ")
        }
        Question::SudoPassword { user, host } => format!("sudo password of {user} on {host}: "),
    };
    terminal.write_all(crate::model::shown::shown_lines(&text).as_bytes()).ok()?;
    let before = tcgetattr(&terminal).ok()?;
    if !question.echo() {
        let mut silent = before.clone();
        silent.local_flags.remove(LocalFlags::ECHO);
        tcsetattr(&terminal, SetArg::TCSAFLUSH, &silent).ok()?;
    }
    let mut answer = String::new();
    let read = terminal.try_clone().ok().and_then(|tty| BufReader::new(tty).read_line(&mut answer).ok());
    if !question.echo() {
        tcsetattr(&terminal, SetArg::TCSANOW, &before).ok();
        terminal.write_all(b"\n").ok();
    }
    let answer = answer.trim_end_matches(['\n', '\r']).to_string();
    read.filter(|read| *read > 0).map(|_| Secret(answer))
}
