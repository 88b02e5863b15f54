"""What a model takes and gives, as an OpenAPI 3.1 document and as a plain list of columns."""

from __future__ import annotations

import math
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from octavo.tabular.parsing import ISO

if TYPE_CHECKING:
    from octavo.tabular.model import TabularModel
    from octavo.tabular.schema import Feature

__all__ = ["described_columns", "is_required", "openapi"]

CELL = {"type": ["string", "number", "boolean", "null"]}
ERROR = {"$ref": "#/components/schemas/Error"}


def is_required(feature: Feature) -> bool:
    """Whether a row must name the column: in training it was never missing.

    Its cell may be null all the same; but who leaves the name out has mostly misspelt it.
    """
    return feature.n_missing == 0


def described_columns(model: TabularModel) -> dict[str, Any]:
    """The model's columns and target, for `GET /schema`."""
    target = model.target
    return {
        "target": target.name,
        "task": target.kind,
        "classes": None if target.classes is None else list(target.classes),
        "metric": model.metric,
        "model": model.describe(),
        "columns": [
            {
                "name": feature.name,
                "kind": feature.kind,
                "required": is_required(feature),
                "categories": None if feature.categories is None else list(feature.categories),
                "format": feature.form or None,
            }
            for feature in model.schema.features
        ],
        "ignored": [dropped.name for dropped in model.schema.dropped],
    }


def openapi(
    model: TabularModel, *, most_rows: float, most_bytes: float, has_token: bool
) -> dict[str, Any]:
    """The description of the service of a model.

    Parameters
    ----------
    model
        What is served.
    most_rows, most_bytes
        Of one request; infinite for no limit.
    has_token
        Whether requests must bring one.
    """
    target = model.target
    table: dict[str, Any] = {"type": "array", "items": {"$ref": "#/components/schemas/Row"}}
    if math.isfinite(most_rows):
        table["maxItems"] = int(most_rows)
    limits = f"At most {most_rows:.0f} rows and {most_bytes:.0f} bytes."
    security: list[dict[str, list[str]]] = [{"token": []}] if has_token else []
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {
            "title": f"Predictions of {target.name}",
            "description": f"{model.describe()}. Selected by {model.metric}.",
            "version": version("octavo"),
        },
        "paths": {
            "/predict": {
                "post": {
                    "summary": f"Predict {target.name} for rows of a table",
                    "description": limits,
                    "operationId": "predict",
                    "security": security,
                    "requestBody": {
                        "required": True,
                        "content": {
                            "application/json": {
                                "schema": {
                                    "anyOf": [
                                        table,
                                        {
                                            "type": "object",
                                            "properties": {"rows": table},
                                            "required": ["rows"],
                                        },
                                    ]
                                }
                            },
                            "text/csv": {
                                "schema": {
                                    "type": "string",
                                    "description": "UTF-8; the first line names the columns.",
                                }
                            },
                        },
                    },
                    "responses": {
                        "200": _json("The predictions, in the rows' order.", "Predictions"),
                        "400": _json("The body cannot be read.", "Error"),
                        "413": _json("Too many rows or bytes.", "Error"),
                        "415": _json("Neither JSON nor CSV.", "Error"),
                        "422": _json("The table does not fit the model.", "Error"),
                    },
                }
            },
            "/schema": {
                "get": {
                    "summary": "The columns that the model reads",
                    "operationId": "schema",
                    "security": security,
                    "responses": {"200": _json("Names, kinds and categories.", "Columns")},
                }
            },
            "/health": {
                "get": {
                    "summary": "Whether the service is up",
                    "operationId": "health",
                    "security": [],
                    "responses": {"200": _json("It is.", "Health")},
                }
            },
        },
        "components": {"schemas": _schemas(model)},
    }
    if has_token:
        refusal = _json("The token is absent or wrong.", "Error")
        for path in ("/predict", "/schema"):
            for operation in document["paths"][path].values():
                operation["responses"]["401"] = refusal
        document["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    return document


def _json(description: str, schema: str) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    return {"description": description, "content": content}


def _schemas(model: TabularModel) -> dict[str, Any]:
    features = model.schema.features
    row: dict[str, Any] = {
        "type": "object",
        "description": "Cells by column. Columns that are not listed are ignored.",
        "properties": {feature.name: _property(feature) for feature in features},
        "additionalProperties": True,
    }
    required = [feature.name for feature in features if is_required(feature)]
    if required:
        row["required"] = required
    return {
        "Row": row,
        "Predictions": _predictions(model),
        "Columns": {
            "type": "object",
            "properties": {
                "target": {"type": "string"},
                "task": {"enum": ["binary", "multiclass", "regression"]},
                "classes": {"type": ["array", "null"]},
                "metric": {"type": "string"},
                "model": {"type": "string"},
                "columns": {"type": "array", "items": {"type": "object"}},
                "ignored": {"type": "array", "items": {"type": "string"}},
            },
            "required": ["target", "task", "classes", "metric", "model", "columns", "ignored"],
        },
        "Health": {
            "type": "object",
            "properties": {"status": {"const": "ok"}},
            "required": ["status"],
        },
        "Error": {
            "type": "object",
            "properties": {
                "error": {"type": "string", "description": "What is wrong, and what to do."}
            },
            "required": ["error"],
        },
    }


def _property(feature: Feature) -> dict[str, Any]:
    words = ", ".join(map(repr, feature.categories or ()))
    if feature.kind == "number":
        comma = " with a decimal comma" if feature.form == "decimal comma" else ""
        read = f"A number; a text that reads as one{comma} is taken too."
        return {"type": ["number", "string", "null"], "description": read}
    if feature.kind == "boolean":
        return {**CELL, "description": f"One of {words}, or true or false."}
    if feature.kind == "category":
        found: dict[str, Any] = {"description": "Other values count as missing."}
        return {**found, "anyOf": [{"enum": list(feature.categories or ())}, CELL]}
    if feature.kind == "date":
        form = "ISO 8601" if feature.form in ("", ISO) else feature.form
        return {"type": ["string", "null"], "description": f"A date or time as {form}."}
    return {"type": ["string", "null"], "description": "Text."}


def _predictions(model: TabularModel) -> dict[str, Any]:
    target = model.target
    warnings = {"type": "array", "items": {"type": "string"}}
    properties: dict[str, Any] = {"target": {"const": target.name}, "warnings": warnings}
    if target.classes is None:
        properties["predictions"] = {"type": "array", "items": {"type": "number"}}
    else:
        classes = list(target.classes)
        shares = {"type": "number", "minimum": 0, "maximum": 1}
        n = len(classes)
        properties["predictions"] = {"type": "array", "items": {"enum": classes}}
        properties["classes"] = {"const": classes}
        properties["probabilities"] = {
            "type": "array",
            "description": "One list per row, in the order of `classes`.",
            "items": {"type": "array", "items": shares, "minItems": n, "maxItems": n},
        }
    return {"type": "object", "properties": properties, "required": sorted(properties)}
