//! `cargo xtask test`: everything, in an order in which the cheap answers come first.

use std::process::ExitCode;

use clap::ValueEnum;

use crate::counts::Counts;
use crate::prerequisites::{self, Need};
use crate::steps::Steps;
use crate::{browser, console, interop, openapi, rust, tidy};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Run only Rust tests whose name holds this text.
    filter: Option<String>,
    /// Run only these parts.
    #[arg(long, value_delimiter = ',')]
    only: Vec<Part>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    Tidy,
    Console,
    Rust,
    Interop,
    Browser,
}

impl Part {
    const ALL: [Self; 5] = [Self::Tidy, Self::Console, Self::Rust, Self::Interop, Self::Browser];

    fn needs(self) -> &'static [Need] {
        match self {
            Self::Tidy => &[],
            Self::Console => &[Need::Node],
            Self::Rust => &[Need::Cc],
            Self::Interop => &[Need::Cc, Need::Python, Need::Node],
            Self::Browser => &[Need::Cc, Need::Node],
        }
    }
}

pub(crate) fn run(args: &Args) -> ExitCode {
    let parts = chosen(args);
    let mut steps = Steps::default();
    let mut needs: Vec<Need> = Vec::new();
    for need in parts.iter().flat_map(|part| part.needs()) {
        if !needs.contains(need) {
            needs.push(*need);
        }
    }
    let missing = prerequisites::missing(&needs);
    if !missing.is_empty() {
        for line in missing {
            steps.run("Prerequisites", || Err(anyhow::anyhow!(line)));
        }
        return steps.finish();
    }
    let wanted = |part| parts.contains(&part);
    // Before the long steps, since it may ask for something to be installed.
    let mut chromium = None;
    if wanted(Part::Browser) {
        steps.run("Chromium", || {
            chromium = Some(browser::chromium()?);
            Ok(Counts::default())
        });
    }
    if wanted(Part::Tidy) {
        steps.run("Tidy", tidy::check);
    }
    if wanted(Part::Console) {
        steps.run("Console", console::check);
    }
    if wanted(Part::Rust) || wanted(Part::Interop) || wanted(Part::Browser) {
        let built = steps.run("Build", rust::build);
        if !built {
            println!("what needs the program is left out, since it does not build");
            return steps.finish();
        }
    }
    if wanted(Part::Rust) {
        if args.filter.is_none() {
            steps.run("Clippy", rust::clippy);
            steps.run("OpenAPI", || openapi::check().map(|()| Counts::one(true)));
        }
        steps.run("Rust", || rust::test(args.filter.as_deref()));
    }
    if wanted(Part::Interop) {
        steps.run("Interoperability", interop::run);
    }
    if let Some(chromium) = chromium {
        steps.run("Browser", || browser::run(&chromium));
    }
    steps.finish()
}

fn chosen(args: &Args) -> Vec<Part> {
    if !args.only.is_empty() {
        args.only.clone()
    } else if args.filter.is_some() {
        vec![Part::Rust]
    } else {
        Part::ALL.to_vec()
    }
}
