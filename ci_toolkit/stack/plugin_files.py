"""Files of plugins: templates with their variables filled in, Dockerfiles, and rows that a database begins with."""

from __future__ import annotations

import json
import string
from typing import TYPE_CHECKING, Any

from ci_toolkit.errors import ConfigError, PluginError
from ci_toolkit.model.names import nearest
from ci_toolkit.stack.output import json_output, text_output
from ci_toolkit.stack.secret_names import DATABASE_PASSWORD, plugin_secret

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ci_toolkit.stack.deployment import Bundle, Deployment
    from ci_toolkit.stack.output import Output
    from ci_toolkit.stack_fragments.spec import SeedTable, Template


def plugin_outputs(deployment: Deployment) -> Iterator[Output]:
    """Every file of every plugin but its compose file; ConfigError for a variable that nobody has given a value."""
    for bundle in deployment.bundles:
        top = f"plugins/{bundle.name}"
        for template in bundle.fragment.templates:
            text = _filled(deployment, bundle, template)
            if template.path.endswith(".json"):
                yield json_output(f"{top}/{template.path}", _object(bundle, template, text))
            else:
                yield text_output(f"{top}/{template.path}", text)
        for service in bundle.fragment.services:
            if service.dockerfile:
                yield text_output(f"{top}/Dockerfile.{service.name}", service.dockerfile)
        if bundle.fragment.seeds:
            yield text_output(f"{top}/seed.sql", seed_sql(deployment, bundle), comment="--")


def database_role(plugin: str) -> str:
    """The role that a plugin's services use the database as, which is the name of its schema, too."""
    return f"plugin_{plugin}"


def database_secret(plugin: str) -> str:
    """The secret with that role's password."""
    return plugin_secret(plugin, DATABASE_PASSWORD)


def _filled(deployment: Deployment, bundle: Bundle, template: Template) -> str:
    options = {name: _plain(value) for name, value in deployment.stack.plugins.get(bundle.name, {}).items()}
    values = {**template.defaults, **options, **deployment.internal_urls()}
    try:
        return string.Template(template.text).substitute(values)
    except KeyError as error:
        name = str(error.args[0])
        raise ConfigError(
            "is missing, and a template of the plugin needs it",
            file="stack.toml",
            key=f"plugins.{bundle.name}.{name}",
            hint=nearest(name, options) or template.path,
        ) from None
    except ValueError as error:
        raise ConfigError(f"has a $ that begins no ${{VAR}}: {error}", key=f"{bundle.name}: {template.path}") from error


def _object(bundle: Bundle, template: Template, text: str) -> dict[str, Any]:
    """What a file of JSON holds, where a comment would be an error."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        problem = f"stack_fragments: {bundle.name} from {bundle.origin}: template {template.path} is no JSON: {error}"
        raise PluginError(problem) from error
    if not isinstance(value, dict):
        raise PluginError(f"stack_fragments: {bundle.name} from {bundle.origin}: {template.path} holds no JSON object")
    return value


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def seed_sql(deployment: Deployment, bundle: Bundle) -> str:
    """What psql is to run, as often as one likes: role, schema, tables and rows, as far as they are missing."""
    role = database_role(bundle.name)
    secret = deployment.secret_path(database_secret(bundle.name))
    lines = [
        "\\set ON_ERROR_STOP on",
        f"\\set password `cat {secret}`",
        "-- The password is in no log of the server.",
        "SET log_statement = 'none';",
        "SET log_min_error_statement = 'panic';",
        "BEGIN;",
        f"SELECT 'CREATE ROLE {role} LOGIN' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}') \\gexec",
        f"ALTER ROLE {role} PASSWORD :'password';",
        f"CREATE SCHEMA IF NOT EXISTS {role} AUTHORIZATION {role};",
    ]
    for seed in bundle.fragment.seeds:
        lines += _table(role, seed)
    return "\n".join([*lines, "COMMIT;"])


def _table(role: str, seed: SeedTable) -> Iterator[str]:
    table = f'{role}."{seed.name}"'
    columns = ", ".join(f'"{name}" {kind}' for name, kind in seed.columns.items())
    key = ", ".join(f'"{name}"' for name in list(seed.columns)[: seed.key])
    yield f"CREATE TABLE IF NOT EXISTS {table} ({columns}, PRIMARY KEY ({key}));"
    yield f"ALTER TABLE {table} OWNER TO {role};"
    for row in seed.rows:
        yield f"INSERT INTO {table} VALUES ({', '.join(map(_literal, row))}) ON CONFLICT DO NOTHING;"


def _literal(value: str | float | bool | None) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, int | float):
        return repr(value)
    # Means the same whatever standard_conforming_strings is; no end of a line, at which psql looks for commands.
    written = "".join(
        character if character.isprintable() and character not in "\\'" else _escaped(character) for character in value
    )
    return f"E'{written}'"


def _escaped(character: str) -> str:
    return {"\\": "\\\\", "'": "''"}.get(character) or f"\\U{ord(character):08x}"
