"""The notebook of docs/scripts.md, executed by a real kernel."""

import json
import re
import subprocess
import sys
import textwrap

import pytest
from programs import EXAMPLES

from asyncllm.sandbox import Sandbox, Stall
from asyncllm.sandbox.background import running_in_background

pytestmark = pytest.mark.programs

NOTEBOOK = EXAMPLES / "notebook.ipynb"
PAGE = EXAMPLES.parent / "docs" / "scripts.md"


def run(script, *arguments):
    # In a process of its own: what starts kernels leaves its event loops behind.
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), *arguments],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def outputs(cell):
    return "".join(
        "".join(output.get("text") or output["data"]["text/plain"]) for output in cell["outputs"]
    )


def test_every_cell_of_the_notebook_runs_and_its_answer_comes_word_by_word():
    script = """
        import sys, nbclient, nbformat
        notebook = nbformat.read(sys.argv[1], as_version=4)
        nbformat.validate(notebook)
        # Not joined as a reader would see them, to see that they came one by one.
        nbclient.NotebookClient(notebook, coalesce_streams=False, timeout=60).execute()
        print(nbformat.writes(notebook))
    """
    cells = [cell for cell in run(script, NOTEBOOK)["cells"] if cell["cell_type"] == "code"]
    start, ask, reply, whole, several, left = cells
    assert outputs(start) == ""
    assert "“What is a token?”" in outputs(ask)
    assert len(ask["outputs"]) > 5
    assert outputs(reply) == f"('stop', {len(outputs(ask))})"
    assert "“What is a stream?”" in outputs(whole)
    assert (outputs(several), outputs(left)) == ("3", "0")


def test_the_notebook_is_kept_without_outputs_and_its_cells_are_those_of_the_page():
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert not any(cell["outputs"] or cell["execution_count"] for cell in code)
    section = (
        PAGE.read_text(encoding="utf-8").split("\n## Ask from a notebook\n")[1].split("\n## ")[0]
    )
    shown = re.findall(r"```python\n(.*?)\n```", section, re.DOTALL)
    assert ["".join(cell["source"]) for cell in code] == shown


def test_the_stop_button_stops_the_generation_and_the_notebook_goes_on():
    script = """
        import json, sys, threading
        from jupyter_client.manager import start_new_kernel
        manager, client = start_new_kernel()
        ran = []
        def run(code, interrupt_at=None):
            said, interrupted = "", False
            def hook(message):
                nonlocal said, interrupted
                content = message["content"]
                if message["msg_type"] == "stream":
                    said += content["text"]
                elif message["msg_type"] == "execute_result":
                    said += content["data"]["text/plain"]
                if interrupt_at and interrupt_at in said and not interrupted:
                    interrupted = True
                    manager.interrupt_kernel()
            done = client.execute_interactive(code, timeout=50, output_hook=hook)
            ran.append([done["content"].get("ename"), said])
        run(f"from asyncllm import H2o, run_sync; h2o = H2o(base_url={sys.argv[1]!r})")
        run("stream = run_sync(h2o.stream('Hello'))\\n"
            "for token in stream: print(token, end='', flush=True)", "This is the")
        run("len(stream.reply.text)")
        run("run_sync(h2o.complete('Once more')).text")
        client.stop_channels()
        manager.shutdown_kernel()
        print(json.dumps(ran))
    """
    with running_in_background(Sandbox(faults=[Stall(after=3, times=1)])) as server:
        _, stopped, length, after = run(script, server.url)
        assert stopped == ["KeyboardInterrupt", "This is the"]
        assert length == [None, "11"]
        assert "“Once more”" in after[1]
        assert sum(r.path.endswith("/stop-generating") for r in server.requests) == 1
        assert (server.conversations, server.generating) == (0, 0)
