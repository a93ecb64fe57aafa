"""Work with vendors' own SDKs as anybody would. Prints what came of each step as JSON lines: `[sdk, step, came]`.

argv: which SDKs. What an SDK raises is told by its class and its text, and the next step is taken.
"""

import concurrent.futures
import importlib
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))


def work(sdk):
    """Each SDK is a module that has `STEPS`: functions of what the module set up, by their names."""
    for step in importlib.import_module(f"vendors.{sdk}_steps").STEPS:
        try:
            came = step()
        except Exception as error:
            came = {"error": type(error).__name__, "text": str(error)}
        print(json.dumps([sdk, step.__name__, came], default=str), flush=True)


with concurrent.futures.ThreadPoolExecutor(4) as pool:
    list(pool.map(work, sys.argv[1:]))
