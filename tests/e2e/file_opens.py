#!/usr/bin/env python3
"""h5dump, h5py and xarray open a result file unaided: units, dimension scales, missing values, provenance.

    file_opens.py --sparkmpi PATH --fixtures DIR
"""

import csv
import io
import json
import subprocess
import tempfile
from pathlib import Path

import h5py
import numpy as np
import xarray

from launch import Checks, options_of, run, run_alone


def main():
    arguments = options_of(__doc__, "fixtures").parse_args()
    checks = Checks()
    with tempfile.TemporaryDirectory() as scratch:
        output = Path(scratch, "run.h5")
        model = arguments.fixtures / "hf" / "qwen2-bias-tied"
        result = run(arguments.sparkmpi, 4, ["stream", "inference", "--footprint", "64K", "-m", model, "-p", "9", "-n", "5", "-b", "2",
                                             "-r", "2", "--save-tokens", "-o", output], scratch)
        checks.expect(result.returncode == 0, f"the run failed: {result.stderr}")

        dump = subprocess.run(["h5dump", "-H", output], capture_output=True, text=True)
        checks.expect(dump.returncode == 0 and "DIMENSION_LIST" in dump.stdout, f"h5dump: {dump.stderr}")

        with h5py.File(output) as file:
            group = file["kernels/0001_inference"]
            rates = group["decode_tokens_per_s"]
            checks.expect(rates.shape == (4, 2), f"decode_tokens_per_s has shape {rates.shape}")
            checks.expect(rates.attrs["units"] in ("1/s", b"1/s"), f"its unit is {rates.attrs['units']}")
            checks.expect([dimension.keys()[0] for dimension in rates.dims] == ["rank", "repetition"],
                          f"its scales are {[list(d.keys()) for d in rates.dims]}")
            tokens = group["token_id"][:].reshape(4, 2, -1)
            checks.expect(tokens.shape[2] == 10 and (tokens == tokens[0, 0]).all(), "ranks and repetitions gave different tokens")
            times = group["token_time_s"][:]
            checks.expect((np.diff(times, axis=1) >= 0).all(), "token time stamps run backwards")
            ranks = file["ranks"]
            checks.expect(list(ranks["local_rank"][:]) == [0, 1, 2, 3], f"local ranks {ranks['local_rank'][:]}")
            masks = [text.decode() for text in ranks["observed_cpu_mask"][:]]
            checks.expect(masks == [text.decode() for text in ranks["cpus"][:]], f"ranks are not where they were bound: {masks}")
            provenance = dict(file["provenance"].attrs)
            for name in ("command_line", "sparkmpi_version", "mpi_library", "start_time", "compiler"):
                checks.expect(provenance.get(name), f"provenance has no {name}")
            libraries = ranks["loaded_libraries"][0].decode()
            checks.expect("libmpi" in libraries, "the loaded libraries hold no MPI")
            for name in ("libcuda", "libnvidia", "libcublas"):
                checks.expect(name not in libraries, f"{name} is loaded though no kernel asked for a GPU")

        data = xarray.open_dataset(output, group="kernels/0000_stream", engine="h5netcdf", phony_dims="sort")
        metric = data["triad_bytes_per_s"]
        checks.expect(metric.dims == ("rank", "triad_sample"), f"xarray sees the dimensions {metric.dims}")
        checks.expect(float(metric.median()) > 1e6, "xarray's median is no bandwidth")
        ledgers = xarray.open_dataset(output, group="kernels/0000_stream/ledgers", engine="h5netcdf", phony_dims="sort")
        checks.expect("reading" in ledgers and set(ledgers["reading"].dims) == {"rank", "moment", "ledger"},
                      f"xarray sees the ledgers as {ledgers}")
        free = ledgers["reading"].sel(ledger=b"meminfo.MemFree") if ledgers["ledger"].dtype.kind == "S" else \
            ledgers["reading"].sel(ledger="meminfo.MemFree")
        checks.expect((free > 0).all(), "MemFree is not there by its name")

        as_json = json.loads(run_alone(arguments.sparkmpi, ["show", output, "--format", "json"], scratch).stdout)
        as_csv = list(csv.DictReader(io.StringIO(run_alone(arguments.sparkmpi, ["show", output, "--format", "csv"], scratch).stdout)))
        checks.expect(len(as_json) == len(as_csv) > 0, "show gives different numbers of rows as JSON and CSV")
        row = next(row for row in as_json if row["metric"] == "decode_tokens_per_s" and row["rank"] == 3)
        with h5py.File(output) as file:
            median = np.median(file["kernels/0001_inference/decode_tokens_per_s"][3])
        checks.expect(np.isclose(row["median"], median), f"show says {row['median']}, NumPy {median}")
        table = run_alone(arguments.sparkmpi, ["show", output], scratch).stdout
        checks.expect(max(map(len, table.splitlines())) <= 80 + len(str(output)), "the summary is wider than a terminal")
    checks.finish()


if __name__ == "__main__":
    main()
