//! The command line's words.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

/// Machines, data and identifiers of a plant in one program.
#[derive(Debug, Parser)]
#[command(name = "weir", version, max_term_width = 100, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 done, 1 failed, 2 wrong usage or settings, 3 not found, \
                          4 not permitted, 5 in conflict with what is there.";

#[derive(Debug, Args)]
pub(crate) struct Global {
    /// The settings file [default: weir.toml in this folder, if there is one].
    #[arg(long, global = true, env = "WEIR_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The data folder.
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Print JSON.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Print results and errors only.
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

/// How to reach a node other than the one that runs on this machine's data folder.
#[derive(Debug, Args)]
#[command(next_help_heading = "A node elsewhere")]
pub(crate) struct Connection {
    /// The node's address, such as https://weir.plant.example:7300.
    #[arg(long, global = true, env = "WEIR_URL")]
    pub(crate) url: Option<String>,
    /// An API token.
    #[arg(long, global = true, env = "WEIR_TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,
    /// Trust this certificate (PEM), such as one that a node generated.
    #[arg(long, global = true, env = "WEIR_CERTIFICATE", value_name = "FILE")]
    pub(crate) certificate: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a node.
    Serve(Listeners),
    /// Run a node with a demo plant: recorded signals over OPC UA, Modbus, Sparkplug and MTConnect.
    Demo(Demo),
    /// Look at tags and their samples.
    #[command(subcommand)]
    Tag(Tag),
    /// Ask in SQL over samples, tags and assets.
    Query {
        /// The statement; `-` reads standard input.
        sql: String,
        /// Print CSV.
        #[arg(long)]
        csv: bool,
    },
    /// Say how long samples are kept.
    #[command(subcommand)]
    Retention(Retention),
    /// Look after the files of samples; write samples to files and read them from files.
    #[command(subcommand)]
    Historian(HistorianCommand),
    /// The samples as a Delta table for other engines, in an object store or a folder.
    #[command(subcommand)]
    Lake(LakeCommand),
    /// Register identifiers and look them up.
    #[command(subcommand)]
    Id(Id),
    /// Make production schedules and check them, without a node.
    #[command(subcommand)]
    Schedule(ScheduleCommand),
    /// Manage organisations (tenants).
    #[command(subcommand)]
    Org(Org),
    /// Manage users.
    #[command(subcommand)]
    User(User),
    /// Manage API tokens.
    #[command(subcommand)]
    Token(Token),
    /// Say which programs the node's OPC UA server lets in.
    #[command(subcommand, name = "opcua")]
    OpcUa(OpcUa),
    /// The audit log.
    #[command(subcommand)]
    Audit(Audit),
    /// Settings.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Write all records of your organisation as text (JSON lines) to standard output.
    Export,
    /// Read records that `weir export` wrote.
    Import {
        /// The file; `-` reads standard input.
        file: PathBuf,
    },
    /// Copy the running node's records into a folder below its data folder.
    Backup,
    /// Print a completion script for a shell.
    Completions {
        /// Which shell.
        shell: Shell,
    },
    /// Print the manual page.
    Man,
    /// Print the OpenAPI document of the HTTP interface.
    #[command(hide = true)]
    Openapi,
}

/// Where the node listens, instead of what its settings say.
#[derive(Debug, Args)]
pub(crate) struct Listeners {
    /// Address and port of console and API; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<SocketAddr>,
    /// Run the MQTT broker at this address and port (usually 1883, 8883 with TLS); clients show an API
    /// token as their password.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) mqtt: Option<SocketAddr>,
    /// Run the OPC UA server at this address and port (usually 4840); users sign in with name and
    /// password, or with an API token as the password.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) opcua: Option<SocketAddr>,
    /// Answer for identifiers over the Handle protocol at this address and port (usually 2641), UDP and
    /// TCP, as far as their records say.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) handle: Option<SocketAddr>,
}

#[derive(Debug, Args)]
pub(crate) struct Demo {
    #[command(flatten)]
    pub(crate) listeners: Listeners,
    /// Replay speed as a multiple of the plant's own time; a recorded row covers three minutes.
    #[arg(long, default_value_t = weir_plant::SPEED_DEFAULT, value_name = "TIMES")]
    pub(crate) speed: f64,
    /// Replay the recording of a fault (1 to 10) instead of normal operation.
    #[arg(long, default_value_t = 0, value_name = "N", value_parser = clap::value_parser!(u8).range(0..=10))]
    pub(crate) fault: u8,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Tag {
    /// List tags with their last values.
    List {
        /// Only tags whose name or identifier holds this text.
        search: Option<String>,
        /// At most this many.
        #[arg(long, default_value_t = 1000)]
        limit: usize,
    },
    /// Show one tag.
    Show {
        /// The tag's identifier.
        id: String,
    },
    /// Print a tag's samples.
    Samples {
        /// The tag's identifier.
        id: String,
        /// From this time (RFC 3339) [default: an hour ago].
        #[arg(long)]
        from: Option<String>,
        /// To this time (RFC 3339) [default: now].
        #[arg(long)]
        to: Option<String>,
        /// Thin out to at most this many points; the extremes stay.
        #[arg(long, default_value_t = 1000)]
        max_points: usize,
        /// The unit of the values as a UCUM code [default: as they were measured].
        #[arg(long)]
        unit: Option<String>,
        /// Print CSV.
        #[arg(long)]
        csv: bool,
    },
    /// Print a tag's value at times: between two samples on the line or that of the earlier one.
    At {
        /// The tag's identifier.
        id: String,
        /// The times (RFC 3339) [default: now].
        times: Vec<String>,
        #[command(flatten)]
        between: Between,
        /// The unit of the value as a UCUM code [default: the tag's own].
        #[arg(long)]
        unit: Option<String>,
        /// Print CSV.
        #[arg(long)]
        csv: bool,
    },
    /// Print several tags as rows at equal distances of time, a column a tag.
    Frame {
        /// The tags' identifiers.
        #[arg(required = true)]
        ids: Vec<String>,
        /// The time of the first row (RFC 3339) [default: an hour before the end].
        #[arg(long)]
        from: Option<String>,
        /// To this time (RFC 3339) [default: now].
        #[arg(long)]
        to: Option<String>,
        /// From one row to the next, such as 100ms, 1s, 5m or 1h.
        #[arg(long)]
        step: String,
        #[command(flatten)]
        between: Between,
        /// The unit of each tag's values as UCUM codes, with commas between them, in the order of the tags;
        /// nothing for the tag's own.
        #[arg(long)]
        units: Option<String>,
        /// Leave out values that are only uncertain.
        #[arg(long)]
        good: bool,
        /// Print CSV.
        #[arg(long)]
        csv: bool,
    },
    /// Print aggregates of tags: mean, extremes, time in good and bad quality, by hour or day.
    Aggregate {
        /// The tags' identifiers.
        #[arg(required = true)]
        ids: Vec<String>,
        /// From this time (RFC 3339) [default: a day before the end].
        #[arg(long)]
        from: Option<String>,
        /// To this time (RFC 3339) [default: now].
        #[arg(long)]
        to: Option<String>,
        /// Length of a bucket, such as 1m, 1h or 1d [default: all in one].
        #[arg(long)]
        width: Option<String>,
        /// How far the clock whose hours and days are meant is from UTC, such as 8h or -5h.
        #[arg(long, allow_hyphen_values = true)]
        offset: Option<String>,
        /// avg, time_avg, total, min, max, sum, count, samples, first, last, good_time, uncertain_time,
        /// bad_time, percent_good; several are separated by commas.
        #[arg(long, default_value = "avg,min,max,count")]
        functions: String,
        /// Print CSV.
        #[arg(long)]
        csv: bool,
    },
    /// Print values as they arrive, until interrupted.
    Watch {
        /// The tags' identifiers.
        #[arg(required = true)]
        ids: Vec<String>,
    },
    /// Create a tag that programs write to over HTTP.
    Create {
        /// Its name.
        name: String,
        /// Its identifier [default: made from the name].
        #[arg(long)]
        id: Option<String>,
        /// The type of its values.
        #[arg(long = "type", default_value = "f64", value_name = "TYPE")]
        data_type: String,
        /// Its unit: a UCUM code such as Cel or kPa, or the plant's own text.
        #[arg(long)]
        unit: Option<String>,
        /// What its value is between two samples [default: linear for f64, step for all others].
        #[arg(long, value_parser = ["linear", "step"])]
        interpolation: Option<String>,
    },
    /// Delete a tag's samples of a span of time, for ever.
    Erase {
        /// The tag's identifier.
        id: String,
        /// From this time on (RFC 3339).
        #[arg(long)]
        from: String,
        /// Up to, without, this time (RFC 3339).
        #[arg(long)]
        to: String,
        /// Really do it.
        #[arg(long)]
        confirm: bool,
    },
    /// Write a value to the device behind a tag.
    Write {
        /// The tag's identifier.
        id: String,
        /// The value.
        value: String,
        /// Really do it.
        #[arg(long)]
        confirm: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum LakeCommand {
    /// Say how the table is that follows the running node: how far behind, and what is wrong.
    Status,
    /// Copy the samples of this machine's data folder into a Delta table, whether its node runs or not. What is
    /// there already is not copied again. Grades are not looked at.
    Export {
        /// Where to: s3://bucket/folder or file:///folder. Keys, region and endpoint are those of [lake].
        #[arg(long, value_name = "URL")]
        to: String,
        /// The number of a tenant whose samples are copied, as `weir historian stats` prints it [default: all].
        #[arg(long = "tenant", value_name = "NUMBER")]
        tenants: Vec<u32>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum HistorianCommand {
    /// Read every file and every page, and say what is damaged. Works with a running node and without.
    Check,
    /// Make damaged files usable again. The node must be stopped; nothing is deleted.
    Repair {
        /// Only say what would be done.
        #[arg(long)]
        dry_run: bool,
        /// Do it without asking.
        #[arg(long)]
        yes: bool,
    },
    /// Say what is stored, by tenant and day or month. Works with a running node and without.
    Stats {
        /// The order.
        #[arg(long, value_enum, default_value = "date")]
        sort: HistorianSort,
    },
    /// Write samples to a CSV or Parquet file that any program reads.
    Export(ExportArgs),
    /// Read samples from CSV, Parquet or InfluxDB line protocol; a repeated import stores nothing twice.
    Import(ImportArgs),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum HistorianSort {
    /// By tenant and date.
    Date,
    /// Most samples first.
    Rows,
    /// Most bytes first.
    Bytes,
    /// Most bytes a sample first.
    BytesAPoint,
    /// Most files first.
    Blocks,
}

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// The tags' identifiers; `*` stands for any text and `?` for one character.
    pub(crate) tags: Vec<String>,
    /// Every tag that you see.
    #[arg(long, conflicts_with = "tags")]
    pub(crate) all: bool,
    /// From this time on (RFC 3339) [default: from the beginning].
    #[arg(long)]
    pub(crate) from: Option<String>,
    /// Up to, without, this time (RFC 3339) [default: now].
    #[arg(long)]
    pub(crate) to: Option<String>,
    /// The file, which appears when it is whole [default: standard output].
    #[arg(long, short, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// What it is written as [default: what the file's name says, else CSV].
    #[arg(long, value_enum)]
    pub(crate) format: Option<ExportFormat>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportFormat {
    /// Lines of tag, time, value, quality.
    Csv,
    /// Columns tag, time, value, text, quality; Zstandard.
    Parquet,
}

#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// The file, also packed as .gz or .zst; `-` reads standard input.
    pub(crate) file: PathBuf,
    /// What it is [default: what the file's name says].
    #[arg(long, value_enum)]
    pub(crate) format: Option<ImportFormat>,
    /// CSV with a column `time` and a column for each tag.
    #[arg(long)]
    pub(crate) wide: bool,
    /// What one unit of a line's time is, in line protocol.
    #[arg(long, value_enum, default_value = "ns")]
    pub(crate) precision: Precision,
    /// The samples are of now: they are live values, and not history alone.
    #[arg(long)]
    pub(crate) live: bool,
    /// Create tags that are not there; their type is what their first values look like.
    #[arg(long)]
    pub(crate) create_tags: bool,
    /// Leave out wrong lines and go on.
    #[arg(long)]
    pub(crate) skip_wrong: bool,
    /// Send nothing, only say which lines are wrong.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Who the samples are said to be from; what is sent again in the same order under the same name is
    /// stored once [default: made from the file's content].
    #[arg(long, value_name = "NAME")]
    pub(crate) producer: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ImportFormat {
    /// Lines of tag, time, value, quality, or with a column a tag.
    Csv,
    /// Columns tag, time, value, text, quality.
    Parquet,
    /// InfluxDB line protocol.
    Line,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Precision {
    /// Nanoseconds.
    Ns,
    /// Microseconds.
    Us,
    /// Milliseconds.
    Ms,
    /// Seconds.
    S,
}

impl Precision {
    /// As the interface has it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Ns => "ns",
            Self::Us => "us",
            Self::Ms => "ms",
            Self::S => "s",
        }
    }

    /// Nanoseconds of one unit.
    pub(crate) fn nanos(self) -> i64 {
        match self {
            Self::Ns => 1,
            Self::Us => 1_000,
            Self::Ms => 1_000_000,
            Self::S => 1_000_000_000,
        }
    }
}

/// What a value is between two samples.
#[derive(Debug, Args)]
pub(crate) struct Between {
    /// auto (what the tag's document says), hold or linear.
    #[arg(long, default_value = "auto", value_parser = ["auto", "hold", "linear"])]
    pub(crate) mode: String,
    /// Samples farther than this from a time tell nothing of it, such as 30s or 5m.
    #[arg(long, value_name = "SPAN")]
    pub(crate) max_age: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Retention {
    /// Print the organisation's rules.
    Show,
    /// Replace the organisation's rules.
    Set {
        /// From which age on what is kept: all that is of a minute, hour or day are its first, lowest,
        /// highest and last sample and a bad one. Each rule begins later and keeps less: 90d=minute
        /// 730d=hour 3650d=nothing.
        #[arg(value_name = "AGE=KEEP")]
        rules: Vec<String>,
        /// Keep everything from now on.
        #[arg(long)]
        all: bool,
        /// Really do it: what is no longer kept is removed for ever.
        #[arg(long)]
        confirm: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum ScheduleCommand {
    /// Make a schedule, as good as the time allows; Ctrl-C ends with the best so far.
    Solve {
        /// The problem: JSON, or the standard text of a job shop or flexible job shop; `-` reads
        /// standard input.
        file: PathBuf,
        /// How long to search, in seconds; it ends earlier if the schedule is proven to be the best.
        #[arg(long, default_value_t = 10.0, value_name = "SECONDS", value_parser = seconds)]
        time: f64,
        /// Threads to search with.
        #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=64))]
        threads: u32,
        /// What random choices begin with: the same seed, threads and iterations give the same schedule.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// End after so many iterations of each thread.
        #[arg(long, value_name = "COUNT")]
        iterations: Option<u64>,
    },
    /// Check a schedule against its problem, and tell all that is wrong with it.
    Check {
        /// The problem.
        problem: PathBuf,
        /// The schedule, as `solve --json` prints it.
        schedule: PathBuf,
    },
}

/// A time to search: some seconds, at most a week.
fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.0..=604_800.0).contains(&seconds) => Ok(seconds),
        _ => Err("it is a number of seconds, at most a week of them".to_owned()),
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Id {
    /// Show the record of an identifier.
    Resolve {
        /// The identifier, `prefix/suffix`.
        id: String,
    },
    /// Register an identifier that stands for itself, or change what its record says: it is answered
    /// to everybody.
    Create {
        /// The identifier, under your organisation's prefix.
        id: String,
        /// The values: URL=https://example.org/p-101. They are numbered from 1.
        #[arg(value_name = "TYPE=DATA", required = true)]
        values: Vec<String>,
        /// Change it if it exists already.
        #[arg(long)]
        replace: bool,
        /// How long others may keep the values, in seconds.
        #[arg(long, default_value_t = 86_400, value_name = "SECONDS")]
        ttl: i32,
    },
    /// Withdraw an identifier: it is not answered any more, and its history stays.
    Withdraw {
        /// The identifier.
        id: String,
    },
    /// List identifiers that stand for themselves.
    List {
        /// Only those that begin with this.
        #[arg(default_value = "")]
        starts: String,
        /// At most so many.
        #[arg(long, default_value_t = 1000)]
        limit: usize,
    },
    /// Ask a server for an identifier over the Handle protocol, and show what is sent and how long it takes.
    Dig {
        /// The identifier.
        id: String,
        /// The server, such as 192.0.2.7:2641.
        #[arg(long, value_name = "ADDRESS")]
        server: SocketAddr,
        /// Only values of these types.
        #[arg(long = "type", value_name = "TYPE")]
        types: Vec<String>,
        /// Ask over TCP at once.
        #[arg(long)]
        tcp: bool,
        /// Have the server sign its answer, and check the signature.
        #[arg(long)]
        certified: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Org {
    /// List organisations.
    List,
    /// Create an organisation: a tenant of its own.
    Create {
        /// Its identifier prefix.
        prefix: String,
        /// Its name.
        name: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum User {
    /// List users.
    List,
    /// Create a user; the password is generated and printed unless it is read from standard input.
    Create {
        /// The name. Outside the node's first organisation, NAME@PREFIX signs in.
        name: String,
        /// Roles: administrator, engineer, operator, viewer, node-administrator.
        #[arg(long = "role", required = true)]
        roles: Vec<String>,
        /// The highest grade that the user sees: public, general, important, core.
        #[arg(long, default_value = "core")]
        ceiling: String,
        /// The organisation's prefix [default: your own].
        #[arg(long)]
        organisation: Option<String>,
        /// Read the password from the first line of standard input.
        #[arg(long)]
        password_stdin: bool,
    },
    /// Set a new password: generated and printed unless it is read from standard input.
    Password {
        /// The user's identifier.
        id: String,
        /// Read the password from the first line of standard input.
        #[arg(long)]
        password_stdin: bool,
    },
    /// Forbid a user to sign in; open sessions and tokens end at once.
    Disable {
        /// The user's identifier.
        id: String,
    },
    /// Let a disabled user sign in again.
    Enable {
        /// The user's identifier.
        id: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Token {
    /// List tokens.
    List,
    /// Create a token and print its secret, once.
    Create {
        /// What it is for.
        name: String,
        /// The user it acts as, by identifier [default: the one whose token you use; needed without one].
        #[arg(long)]
        user: Option<String>,
        /// What it may do, such as tag:read or sample:write; several are separated by commas.
        #[arg(long, required = true, value_delimiter = ',')]
        scopes: Vec<String>,
        /// It ends after this many days.
        #[arg(long, default_value_t = 90)]
        days: u32,
    },
    /// Revoke a token at once.
    Revoke {
        /// The token's id, as `weir token list` prints it.
        id: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum OpcUa {
    /// List the clients that were refused and those that are trusted.
    Clients,
    /// Let a refused client in. Compare its thumbprint with what the client shows before.
    Trust {
        /// SHA-256 of its certificate, as `weir opcua clients` prints it.
        thumbprint: String,
    },
    /// Let a trusted client in no longer; its sessions end at once.
    Distrust {
        /// SHA-256 of its certificate, as `weir opcua clients` prints it.
        thumbprint: String,
    },
    /// Take a client off the list; a trusted one is let in no longer.
    Forget {
        /// SHA-256 of its certificate, as `weir opcua clients` prints it.
        thumbprint: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Audit {
    /// Prove that the audit log is whole and unchanged. Works on the files, node running or not.
    Verify,
    /// Print the newest entries.
    List {
        /// Only entries that hold this text.
        search: Option<String>,
        /// At most this many.
        #[arg(long, default_value_t = 100)]
        limit: usize,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print every setting, its value and where it came from.
    Show {
        /// Print it as a settings file.
        #[arg(long, value_enum)]
        format: Option<ConfigFormat>,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum ConfigFormat {
    /// A settings file.
    Toml,
}
