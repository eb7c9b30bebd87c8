//! Remedies of the library, as commands and flags of this program.

use lookback::error::Remedy;

use super::migrations;

/// The hint for a remedy.
pub(crate) fn hint(remedy: &Remedy) -> String {
    match remedy {
        Remedy::RunMigrations => "apply the migrations: lookback db migrate".to_owned(),
        Remedy::Migration(remedy) => migrations::hint(remedy),
        Remedy::UseNewerPostgres => {
            "give another database by DATABASE_URL, or none to use a private PostgreSQL".to_owned()
        }
        Remedy::RecomputeVectors => "recompute them with lookback db reembed, or use the version \
                                     of Lookback that wrote them"
            .to_owned(),
        Remedy::RebuildSummaries { .. } => "rebuild them: lookback storage reembed".to_owned(),
        Remedy::FinishSplit { .. } => {
            "to finish it, as the owner of the table: lookback storage seal".to_owned()
        }
        // The library's hint lists options of its queries; not every command
        // has them.
        Remedy::NarrowQuery => "narrow it by created_at or by another filter, or give it more \
                                time: --timeout 5m"
            .to_owned(),
        Remedy::RaiseStatementTimeout => "a statement_timeout of the role, the database or the \
                                          server cancelled it, or another session did: raise it \
                                          (ALTER ROLE … SET statement_timeout = '5min'), or run \
                                          this command without one: PGOPTIONS='-c \
                                          statement_timeout=0' lookback …"
            .to_owned(),
        Remedy::SetSearchPath => {
            "the schemas of the tables and of the extension vector must be in \
                                  the search_path: ALTER ROLE … SET search_path = public, or in \
                                  the URL: ?options=-csearch_path%3Dpublic"
                .to_owned()
        }
        other => other.to_string(),
    }
}
