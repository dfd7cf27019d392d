"""A Holdfast worker in Python: standard library only.

    python3 python_worker.py http://127.0.0.1:8787 [--until-empty]

HOLDFAST_TOKEN is presented if it is set; it needs the scope "operate".
"""
import json, os, sys, threading, urllib.error, urllib.request

URL, WORKER, LEASE_MS = sys.argv[1].rstrip("/"), f"python-{os.getpid()}", 10_000


def count_words(payload):
    return {"words": len(payload["text"].split())}


HANDLERS = {"count_words": count_words}


def call(action, **body):
    headers = {"Content-Type": "application/json"}
    if os.environ.get("HOLDFAST_TOKEN"):
        headers["Authorization"] = "Bearer " + os.environ["HOLDFAST_TOKEN"]
    request = urllib.request.Request(f"{URL}/api/worker/{action}", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=60) as response:
        return json.loads(response.read() or "null")


def run(task):
    lease = {"task_id": task["id"], "worker_id": WORKER, "lease_token": task["lease_token"]}
    done = threading.Event()

    def keep():  # renews the lease every third of it, until the handler is done or the lease is lost
        while not done.wait(LEASE_MS / 3000):
            call("renew", **lease, lease_duration_ms=LEASE_MS)

    threading.Thread(target=keep, daemon=True).start()
    try:
        outcome = ("complete", {"result": HANDLERS[task["type"]](task["payload"])})
    except Exception as error:
        outcome = ("fail", {"error": f"{type(error).__name__}: {error}"})
    done.set()
    try:
        call(outcome[0], **lease, **outcome[1])
    except urllib.error.HTTPError as error:
        print(f"task {task['id']}: {error.read().decode()}", file=sys.stderr)  # 409: the lease was lost


while True:
    call("heartbeat", worker_id=WORKER, types=list(HANDLERS))
    wait_ms = 0 if "--until-empty" in sys.argv else 20_000
    tasks = call("claim", worker_id=WORKER, types=list(HANDLERS), lease_duration_ms=LEASE_MS, wait_ms=wait_ms)["tasks"]
    for task in tasks:
        run(task)
    if not tasks and "--until-empty" in sys.argv:
        break
