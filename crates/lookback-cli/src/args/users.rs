//! `users`

use clap::{Subcommand, ValueEnum};

use super::RecordCommand;

#[derive(Debug, Subcommand)]
pub(crate) enum UserCommand {
    /// Create a user; the password is read from a prompt, or from the first
    /// line of standard input
    Create {
        /// E-mail of the user
        email: String,

        /// Role of the user
        #[arg(long, value_enum, default_value_t = RoleArg::User)]
        role: RoleArg,

        /// Print JSON
        #[arg(long)]
        json: bool,
    },

    /// Set the password of a user, and end the user's sessions; it is read from a prompt, or from the
    /// first line of standard input
    SetPassword {
        /// E-mail of the user
        email: String,

        /// Print a random password, which the user has to change at the next log-in
        #[arg(long)]
        one_time: bool,
    },

    #[command(flatten)]
    Records(RecordCommand),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RoleArg {
    Admin,
    User,
}
