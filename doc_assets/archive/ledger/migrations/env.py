"""Runs migrations on the connection that ``ledger.database`` hands over."""

from alembic import context

from doc_assets.archive.ledger.schema import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    transactional_ddl=True,
    render_as_batch=True,
)
context.run_migrations()
