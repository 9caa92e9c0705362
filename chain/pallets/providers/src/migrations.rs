//! What upgrades do to rows of older versions.

/// In order: a [`VersionedMigration`](frame_support::migrations::VersionedMigration) for each step from one version of the
/// rows to the next. Version 1 is the first.
pub type Migrations = ();
