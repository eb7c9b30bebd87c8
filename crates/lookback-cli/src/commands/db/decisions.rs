//! What the schemas cannot tell: from flags, or asked on a terminal.

use std::io::{self, IsTerminal as _, Write as _};

use lookback_schema::{Decisions, DiffError, Expression, ObjectPath, Plan, Question, Schema, diff};

use crate::args::DecisionArgs;
use crate::failure::Failure;
use crate::output;

/// The flags as decisions.
pub(super) fn from_flags(args: &DecisionArgs) -> Result<Decisions, Failure> {
    let mut decisions = Decisions::default();
    for text in &args.rename {
        let (old, new) = halves("--rename", text, "logs.msg=message")?;
        decisions.renames.push((path(old)?, path(new)?));
    }
    for text in &args.drop {
        decisions.drops.push(path(text)?);
    }
    for text in &args.fill {
        decisions
            .fills
            .push(expression("--fill", text, "logs.stage='prod'")?);
    }
    for text in &args.using {
        decisions
            .usings
            .push(expression("--using", text, "logs.code=code::integer")?);
    }
    Ok(decisions)
}

fn halves<'a>(flag: &str, text: &'a str, example: &str) -> Result<(&'a str, &'a str), Failure> {
    text.split_once('=').ok_or_else(|| {
        Failure::usage(format!("{flag} {text}: there is no ="))
            .hint(format!("write {flag} {example}"))
    })
}

fn path(text: &str) -> Result<ObjectPath, Failure> {
    text.parse()
        .map_err(|error: lookback_schema::Error| Failure::usage(error.to_string()))
}

fn expression(flag: &str, text: &str, example: &str) -> Result<(ObjectPath, Expression), Failure> {
    let (column, sql) = halves(flag, text, example)?;
    let sql =
        Expression::new(sql).map_err(|error| Failure::usage(format!("{flag} {text}: {error}")))?;
    Ok((path(column)?, sql))
}

/// The plan, once whatever it cannot tell was asked, on a terminal; elsewhere
/// the error names the flags.
pub(super) fn settle(
    from: &Schema,
    to: &Schema,
    decisions: &mut Decisions,
) -> Result<Plan, Failure> {
    loop {
        match diff(from, to, decisions) {
            Ok(plan) => return Ok(plan),
            Err(DiffError::Questions(questions)) if io::stdin().is_terminal() => {
                let Some(question) = questions.first() else {
                    return Err(Failure::failed("the schemas cannot be compared"));
                };
                ask(question, decisions)?;
            }
            Err(DiffError::Questions(questions)) => {
                let flags: Vec<String> = questions.iter().map(ToString::to_string).collect();
                return Err(
                    Failure::usage("what was renamed and what was dropped cannot be told")
                        .hint(flags.join("\n")),
                );
            }
            Err(error) => return Err(Failure::usage(error.to_string())),
        }
    }
}

fn ask(question: &Question, decisions: &mut Decisions) -> Result<(), Failure> {
    output::note(&format!(
        "{} {} is gone. What became of it?",
        question.kind, question.gone
    ));
    for (number, candidate) in (1..).zip(&question.candidates) {
        output::note(&format!("  {number}  it is {candidate} now"));
    }
    output::note("  d  it was dropped");
    loop {
        anstream::eprint!("> ");
        io::stderr().flush()?;
        let mut answer = String::new();
        if io::stdin().read_line(&mut answer)? == 0 {
            return Err(Failure::interrupted("no answer"));
        }
        let answer = answer.trim();
        if answer == "d" {
            decisions.drops.push(question.gone.clone());
            return Ok(());
        }
        let number = answer
            .parse::<usize>()
            .ok()
            .and_then(|number| number.checked_sub(1));
        if let Some(candidate) = number.and_then(|at| question.candidates.get(at)) {
            decisions
                .renames
                .push((question.gone.clone(), candidate.clone()));
            return Ok(());
        }
        output::note("type one of the numbers, or d");
    }
}
