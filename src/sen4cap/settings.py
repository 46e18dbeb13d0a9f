"""Settings of an installation, read once from the environment (`SEN4CAP_…`) by `app`.

What belongs to processors and sites is configuration in the database, not here.
"""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Where things are and how much of the machine may be used."""

    model_config = SettingsConfigDict(env_prefix="SEN4CAP_", frozen=True, extra="ignore")

    home: Path = Field(
        default_factory=lambda: Path.home() / "sen4cap",
        description="Folder of the embedded database and, unless set apart, of the archive.",
    )
    archive: Path | None = Field(default=None, description="Root folder of all products.")
    database_url: SecretStr | None = Field(
        default=None,
        description="SQLAlchemy URL, for example postgresql+psycopg://user:password@host/sen4cap; "
        "by default an SQLite file in `home`.",
    )
    cores: int = Field(
        default_factory=lambda: os.cpu_count() or 1,
        ge=1,
        description="Threads that one step may use.",
    )
    port: int = Field(
        default=8080, ge=1, le=65535, description="Port of the console on this machine."
    )

    @property
    def archive_root(self) -> Path:
        """Root folder of all products, absolute."""
        return (self.archive or self.home / "archive").expanduser().absolute()

    @property
    def is_embedded(self) -> bool:
        """Whether the database is the SQLite file that comes with the installation."""
        return self.database_url is None

    @property
    def url(self) -> str:
        """URL of the database, password included: never to be printed."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite:///{self.home.expanduser().absolute() / 'sen4cap.sqlite'}"
