//! Decisions on renames, drops and conversions, from flags or from prompts on a terminal.

use std::io::{self, IsTerminal as _, Write as _};

use lookback_schema::{Decisions, DiffError, Expression, ObjectPath, Plan, Question, Schema, diff};

use crate::args::DecisionArgs;
use crate::failure::Failure;
use crate::output;

/// Converts the flags to decisions.
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
        Failure::usage(format!("{flag} {text}: expected OLD=NEW or COLUMN=SQL"))
            .hint(format!("such as {flag} {example}"))
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

/// Computes the plan, with prompts for open questions on a terminal.
///
/// Without a terminal, the error lists the flags.
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
                return Err(
                    Failure::usage("cannot tell renames from drops").hint(flags_for(&questions))
                );
            }
            Err(error) => {
                return Err(Failure::usage(error.to_string()).hint(
                    "decide by --rename OLD=NEW, --drop OLD, --fill COLUMN=SQL or --using \
                     COLUMN=SQL, each object once",
                ));
            }
        }
    }
}

/// The flags that settle these questions.
pub(crate) fn flags_for(questions: &[Question]) -> String {
    let lines: Vec<String> = questions
        .iter()
        .map(|question| {
            let Question {
                kind,
                gone,
                candidates,
                ..
            } = question;
            let new: Vec<String> = candidates.iter().map(ToString::to_string).collect();
            let mut line = format!(
                "the {kind} {gone} was removed, and {} added: ",
                new.join(", ")
            );
            for candidate in candidates {
                let name = question.new_name(candidate);
                line.push_str(&format!(
                    "if it was renamed, add --rename '{gone}={name}'; "
                ));
            }
            line.push_str(&format!("if it was dropped, add --drop '{gone}'"));
            line
        })
        .collect();
    lines.join("\n")
}

fn ask(question: &Question, decisions: &mut Decisions) -> Result<(), Failure> {
    output::note(&format!(
        "{} {} is gone. Was it renamed or dropped?",
        question.kind, question.gone
    ));
    for (number, candidate) in (1..).zip(&question.candidates) {
        output::note(&format!("  {number}  renamed to {candidate}"));
    }
    output::note("  d  dropped");
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
