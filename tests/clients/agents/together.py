"""Ask the same thing argv[1] times at once. Prints the statuses."""

import json
import sys
from concurrent.futures import ThreadPoolExecutor

import requests

MANY = int(sys.argv[1])
with ThreadPoolExecutor(MANY) as pool:
    asked = [pool.submit(requests.get, "https://download.test/together", timeout=60) for _ in range(MANY)]
    print(json.dumps([one.result().status_code for one in asked]))
