"""A Holdfast worker in Python: standard library only.

    python3 python_worker.py http://127.0.0.1:8787 [--until-empty]

HOLDFAST_TOKEN is presented if it is set; it needs the scope "operate". While the server cannot be reached, the worker
waits and tries again. A handler is given an event that is set once its lease is lost: from then on another worker may have
the task, and nothing that this one tells about it is accepted.
"""
import json, os, sys, threading, time, urllib.error, urllib.request

if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
    sys.exit("usage: python3 python_worker.py http://127.0.0.1:8787 [--until-empty]")

URL, WORKER, LEASE_MS = sys.argv[1].rstrip("/"), f"python-{os.getpid()}", 10_000


def count_words(payload, lost):
    return {"words": len(payload["text"].split())}


HANDLERS = {"count_words": count_words}


def call(action, **body):
    headers = {"Content-Type": "application/json"}
    if os.environ.get("HOLDFAST_TOKEN"):
        headers["Authorization"] = "Bearer " + os.environ["HOLDFAST_TOKEN"]
    request = urllib.request.Request(f"{URL}/api/worker/{action}", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=60) as response:
        return json.loads(response.read() or "null")


def insist(action, while_true=lambda: True, **body):
    """Calls until the server has answered: restarts and overload (5xx) pass. Gives up when `while_true` no longer holds."""
    pause_s = 0.5
    while True:
        try:
            return call(action, **body)
        except urllib.error.HTTPError as error:
            if error.code < 500:
                raise
            reason = f"{error.code} {error.reason}"
        except OSError as error:  # refused, reset, timed out: URLError is one too
            reason = str(error)
        if not while_true():
            return None
        print(f"{action}: {reason}; trying again in {pause_s} s", file=sys.stderr)
        time.sleep(pause_s)
        pause_s = min(10, pause_s * 2)


def run(task):
    lease = {"task_id": task["id"], "worker_id": WORKER, "lease_token": task["lease_token"]}
    done, lost = threading.Event(), threading.Event()

    def keep():  # renews the lease every third of it, until the handler is done or the lease is lost
        renewed_at = time.monotonic()
        while not done.wait(LEASE_MS / 3000):
            try:
                call("renew", **lease, lease_duration_ms=LEASE_MS)
                renewed_at = time.monotonic()
            except urllib.error.HTTPError as error:
                if error.code < 500:
                    return lost.set()
            except OSError:
                pass  # the server may be back before the lease is over
            if time.monotonic() - renewed_at > LEASE_MS / 1000:
                return lost.set()

    threading.Thread(target=keep, daemon=True).start()
    try:
        outcome = ("complete", {"result": HANDLERS[task["type"]](task["payload"], lost)})
    except Exception as error:
        outcome = ("fail", {"error": f"{type(error).__name__}: {error}"})
    done.set()
    if lost.is_set():
        return print(f"task {task['id']}: the lease was lost, another worker has it", file=sys.stderr)
    finished_at = time.monotonic()
    try:
        insist(outcome[0], lambda: time.monotonic() - finished_at < LEASE_MS / 1000, **lease, **outcome[1])
    except urllib.error.HTTPError as error:
        print(f"task {task['id']}: {error.read().decode()}", file=sys.stderr)  # 409: the lease was lost


while True:
    insist("heartbeat", worker_id=WORKER, types=list(HANDLERS))
    wait_ms = 0 if "--until-empty" in sys.argv else 20_000
    tasks = insist("claim", worker_id=WORKER, types=list(HANDLERS), lease_duration_ms=LEASE_MS, wait_ms=wait_ms)["tasks"]
    for task in tasks:
        run(task)
    if not tasks and "--until-empty" in sys.argv:
        break
