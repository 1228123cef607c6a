"""The page that chat-ui serves at its root, which is the only place where it names its models."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_PAGE = """\
<!doctype html>
<html><head><title>HuggingChat</title></head><body>
{messages}<script>
	{{
		__sveltekit_sandbox = {{
			env: {{}},
			element: document.currentScript.parentElement
		}};

		const data = [{{"type":"data","data":{data},"uses":{{}}}},null];
	}}
</script>
</body></html>
"""
_MESSAGE = "<div class='message'>The asyncllm sandbox, in the shape of chat-ui.</div>\n"
_MESSAGES = 220  # which make the page about as large as a real one


def page_of(models: Sequence[str]) -> str:
    """Write the page; its data are a JavaScript object, as SvelteKit's serialiser writes them."""
    settings = _object(ethicsModalAccepted="false", activeModel=_text(models[0]))
    data = _object(
        conversations="[]",
        settings=settings,
        models=_list(_model(name) for name in models),
        oldModels="[]",
        user="void 0",
    )
    return _PAGE.format(messages=_MESSAGE * _MESSAGES, data=data)


def _model(name: str) -> str:
    owner, _, short = name.rpartition("/")
    return _object(
        id=_text(name),
        name=_text(name),
        websiteUrl=_text(f"https://huggingface.co/{owner}"),
        displayName=_text(short),
        description=_text("A model of the sandbox."),
        promptExamples="void 0",
        parameters=_object(temperature=".4", stop=_list([_text("</s>")])),
    )


def _object(**fields: str) -> str:
    return f"{{{','.join(f'{name}:{value}' for name, value in fields.items())}}}"


def _list(values: Iterable[str]) -> str:
    return f"[{','.join(values)}]"


def _text(value: str) -> str:
    # A "<" would let a value end the script that it stands in.
    return json.dumps(value, ensure_ascii=False).replace("<", "\\u003C")
