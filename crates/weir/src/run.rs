//! From words to deeds, and from errors to exit codes.

use std::process::ExitCode;

use anyhow::Context;
use clap::CommandFactory;
use tokio_util::sync::CancellationToken;
use weir_node::config::{Config, ConfigError, LogFormat};
use weir_node::{Node, NodeError};

use crate::args::{Cli, Command, Global, Listeners};
use crate::client::{Client, Refused};
use crate::{
    audit, config, demo, historian, identifier, lake, opcua, organisation, output, people, query,
    records, retention, schedule, tag,
};

/// Runs the command and prints an error once, with its causes.
pub(crate) fn run(cli: Cli) -> ExitCode {
    let quiet_pipe = |error: &anyhow::Error| {
        let io = error.downcast_ref::<std::io::Error>();
        io.is_some_and(|io| io.kind() == std::io::ErrorKind::BrokenPipe)
    };
    match dispatch(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if quiet_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("weir: {error:#}");
            ExitCode::from(exit_code(&error))
        }
    }
}

fn exit_code(error: &anyhow::Error) -> u8 {
    if let Some(refused) = error.downcast_ref::<Refused>() {
        return refused.exit_code();
    }
    let settings = error.downcast_ref::<ConfigError>().is_some();
    if settings || matches!(error.downcast_ref(), Some(NodeError::Config(_))) { 2 } else { 1 }
}

fn dispatch(cli: Cli) -> anyhow::Result<()> {
    let Cli { global, command } = cli;
    let client = || -> anyhow::Result<Client> {
        let config = config::load(&global, &[])?.config;
        Client::find(&global.connection, &config.data.dir)
    };
    match command {
        Command::Serve(args) => serve(&global, &args),
        Command::Demo(args) => demo::demo(&global, &args),
        Command::Tag(command) => tag::run(command, &client()?, &global),
        Command::Query { sql, csv } => query::run(&sql, csv, &client()?, &global),
        Command::Retention(command) => retention::run(command, &client()?, &global),
        Command::Historian(command) => historian::run(command, client, &global),
        Command::Lake(command) => lake::run(command, client, &global),
        Command::Id(command) => identifier::run(command, client, &global),
        Command::Schedule(command) => schedule::run(command, &global),
        Command::Org(command) => organisation::run(command, &client()?, &global),
        Command::User(command) => people::user(command, &client()?, &global),
        Command::Token(command) => people::token(command, &client()?, &global),
        Command::OpcUa(command) => opcua::run(command, &client()?, &global),
        Command::Audit(command) => audit::run(command, client, &global),
        Command::Config(command) => config::show(&command, &global),
        Command::Export => records::export(&client()?),
        Command::Import { file } => records::import(&client()?, &file, &global),
        Command::Backup => records::backup(&client()?, &global),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "weir", &mut std::io::stdout());
            Ok(())
        }
        Command::Man => Ok(clap_mangen::Man::new(Cli::command()).render(&mut std::io::stdout())?),
        Command::Openapi => output::line(&weir_node::openapi()),
    }
}

impl Listeners {
    /// The settings that they stand for, each with its flag.
    pub(crate) fn settings(&self) -> Vec<(&'static str, &'static str, String)> {
        let mut settings = Vec::new();
        if let Some(address) = self.listen {
            settings.push(("--listen", "listen.address", address.to_string()));
        }
        if let Some(address) = self.mqtt {
            settings.push(("--mqtt", "mqtt.enabled", "true".to_owned()));
            settings.push(("--mqtt", "mqtt.address", address.to_string()));
        }
        if let Some(address) = self.opcua {
            settings.push(("--opcua", "opcua.enabled", "true".to_owned()));
            settings.push(("--opcua", "opcua.address", address.to_string()));
        }
        if let Some(address) = self.handle {
            settings.push(("--handle", "resolver.enabled", "true".to_owned()));
            settings.push(("--handle", "resolver.addresses", address.to_string()));
        }
        settings
    }
}

fn serve(global: &Global, listeners: &Listeners) -> anyhow::Result<()> {
    let flags = listeners.settings();
    let config = config::load(global, &flags)?.config;
    log_to_stderr(&config, global.quiet)?;
    runtime()?.block_on(async {
        let stop = stop_signal()?;
        let node = Node::start(config.clone(), query::engine(&config)?).await?;
        announce(&node, global)?;
        stop.cancelled().await;
        node.stop().await;
        Ok(())
    })
}

/// Tells where it listens besides console and API.
pub(crate) fn announce_others(node: &Node) -> anyhow::Result<()> {
    if let Some(address) = node.mqtt_address() {
        output::line(&format!("The MQTT broker listens on {address}"))?;
    }
    if let Some(address) = node.opcua_address() {
        output::line(&format!("The OPC UA server listens on opc.tcp://{address}"))?;
    }
    for address in node.resolver_addresses() {
        output::line(&format!("Identifiers are answered on {address}, UDP and TCP"))?;
    }
    if let Some(address) = node.resolver_web_address() {
        output::line(&format!("Identifiers are on the web at {address}"))?;
    }
    Ok(())
}

fn announce(node: &Node, global: &Global) -> anyhow::Result<()> {
    let first = node.first_administrator();
    if global.json {
        return output::line(&serde_json::json!({
            "url": node.url(),
            "user": first.map(|f| f.user.as_str()),
            "password": first.map(|f| f.password.as_str()),
            "mqtt": node.mqtt_address(),
            "opcua": node.opcua_address(),
            "handle": node.resolver_addresses(),
            "identifiers": node.resolver_web_address(),
        }));
    }
    if let Some(first) = first {
        output::line(&format!(
            "The first administrator is {:?} with the password {}\n\
             It is shown this once; change it after signing in.",
            first.user, first.password
        ))?;
    }
    if !global.quiet {
        output::line(&format!("Weir listens on {}", node.url()))?;
        announce_others(node)?;
    }
    Ok(())
}

/// The runtime of a node: small stacks and few threads, since nothing in it blocks for long.
pub(crate) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS_MAX)
        .thread_name("weir")
        .build()
        .context("could not start the runtime")
}

/// Threads for reads from disk and password hashing.
const BLOCKING_THREADS_MAX: usize = 16;

/// A token that is cancelled by the first interrupt or termination signal; the second ends the
/// program at once.
pub(crate) fn stop_signal() -> anyhow::Result<CancellationToken> {
    use tokio::signal::unix::{SignalKind, signal};
    let stop = CancellationToken::new();
    let mut interrupt = signal(SignalKind::interrupt()).context("could not listen for signals")?;
    let mut terminate = signal(SignalKind::terminate()).context("could not listen for signals")?;
    let cancelled = stop.clone();
    tokio::spawn(async move {
        for _ in 0..2 {
            tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
            if cancelled.is_cancelled() {
                std::process::exit(130);
            }
            cancelled.cancel();
        }
    });
    Ok(stop)
}

/// Log lines go to standard error, so that standard output holds results only.
pub(crate) fn log_to_stderr(config: &Config, quiet: bool) -> anyhow::Result<()> {
    let level = if quiet { "error" } else { config.log.level.as_str() };
    let filter = tracing_subscriber::EnvFilter::try_new(level)
        .with_context(|| format!("the setting log.level cannot be {level:?}"))?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match config.log.format {
        LogFormat::Text => {
            let colours = std::io::IsTerminal::is_terminal(&std::io::stderr());
            lines.with_ansi(colours).init();
        }
        LogFormat::Json => lines.json().init(),
    }
    Ok(())
}
