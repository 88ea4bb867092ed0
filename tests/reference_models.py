"""Models that other programs fitted: their data in ``tests/data``, and what was found."""

import json

import numpy as np
from conftest import DATA, columns, read_rows


def grouped(columns_of_groups, successes, trials):
    """Binomial counts as two weighted rows a group: the successes and the failures."""
    X = np.concatenate([columns_of_groups, columns_of_groups])
    y = np.concatenate([np.ones(len(successes)), np.zeros(len(successes))])
    return X, y, np.concatenate([successes, trials - successes])


def admissions(as_factor):
    rows = read_rows("ucla_admissions/data.csv")
    rank = columns(rows, "rank")
    ranks = (rank == [2, 3, 4]).astype(float) if as_factor else rank
    return np.hstack([columns(rows, "gre", "gpa"), ranks]), columns(rows, "admit")[:, 0], None


def spector():
    rows = read_rows("spector/data.csv")
    return columns(rows, "GPA", "TUCE", "PSI"), columns(rows, "GRADE")[:, 0], None


def challenger():
    rows = read_rows("challenger/data.csv")
    return columns(rows, "Temperature"), columns(rows, "fail")[:, 0], None


def challenger_counts():
    rows = read_rows("challenger/data.csv")
    return grouped(columns(rows, "Temperature"), columns(rows, "Total")[:, 0], 6)


def shuttle_counts(*names):
    rows = [row for row in read_rows("challenger/spaceshuttle_vcd.csv") if row["nFailures"] not in ("NA", "")]
    return grouped(columns(rows, *names), columns(rows, "nFailures")[:, 0], 6)


def donner45(interaction):
    rows = read_rows("donner/data.csv")
    age, female = columns(rows, "age")[:, 0], np.array([float(row["sex"] == "Female") for row in rows])
    X = np.stack([age, female, age * female][: 2 + interaction], axis=1)
    return X, columns(rows, "survived")[:, 0], None


def donner90(quadratic):
    rows = read_rows("donner/donner90.csv")
    age, male = columns(rows, "age")[:, 0], np.array([float(row["sex"] == "Male") for row in rows])
    X = np.stack([age, age**2, male] if quadratic else [age, male], axis=1)
    return X, columns(rows, "survived")[:, 0], None


def pima(train_only):
    rows = [row for row in read_rows("pima_mass/data.csv") if row["set"] == "tr" or not train_only]
    return columns(rows, "npreg", "glu", "bp", "skin", "bmi", "ped", "age"), columns(rows, "type")[:, 0], None


MODELS = {
    ("ucla_admissions", "rank_numeric"): lambda: admissions(False),
    ("ucla_admissions", "rank_as_factor"): lambda: admissions(True),
    ("spector", "main"): spector,
    ("challenger", "any_distress_DAAG"): challenger,
    ("challenger", "grouped_DAAG"): challenger_counts,
    ("challenger", "grouped_vcd_SpaceShuttle"): lambda: shuttle_counts("Temperature"),
    ("challenger", "grouped_vcd_temp_pressure"): lambda: shuttle_counts("Temperature", "Pressure"),
    ("donner", "sleuth45"): lambda: donner45(False),
    ("donner", "sleuth45_interaction"): lambda: donner45(True),
    ("donner", "vcdExtra90"): lambda: donner90(False),
    ("donner", "vcdExtra90_quadratic"): lambda: donner90(True),
    ("pima_mass", "train"): lambda: pima(True),
    ("pima_mass", "all532"): lambda: pima(False),
}


def reference(dataset, model, kind="ml"):
    """What R (or Stata) found: ``"ml"``, ``"firth"`` or ``"firth_logistf"``."""
    return json.loads((DATA / dataset / "reference.json").read_text())["models"][model][kind]


def published(dataset):
    """Numbers printed elsewhere, with their model."""
    return json.loads((DATA / dataset / "reference.json").read_text())["published"]


def values(numbers):
    """Of a mapping from coefficients to numbers."""
    return np.array(list(numbers.values()))
