"""Mistakes that type checkers must find; each `ignore` that they do not need is an error."""
# pyright: reportUnnecessaryTypeIgnoreComment=true

from asyncllm import AzureOpenAI, Fallback, H2o, OpenAI, SessionManager, provider

llm = OpenAI(model="gpt-5-mini")


async def misspelled_parameters() -> None:
    llm.stream("Hello", temperatur=0.2)  # type: ignore[call-arg]
    await llm.complete("Hello", max_token=5)  # type: ignore[call-arg]
    await provider("groq").complete("Hello", repetition_penality=1.1)  # type: ignore[call-arg]
    Fallback(llm).stream("Hello", timeout=5)  # type: ignore[call-arg]
    llm.stream("Hello", temperature="hot")  # type: ignore[arg-type]
    llm.stream("Hello", min_p="much")  # type: ignore[arg-type]
    llm.stream("Hello", temperature=0.2, min_p=0.1, extra={"temperatur": 0.2})


def options_of_constructors() -> None:
    OpenAI("sk-…")  # type: ignore[arg-type, call-arg]
    OpenAI(api_kye="sk-…")  # type: ignore[call-arg]
    OpenAI(timeouts=5)  # type: ignore[arg-type]
    H2o(retry=3)  # type: ignore[arg-type]
    AzureOpenAI(deploymant="d")  # type: ignore[call-arg]
    SessionManager(timeout=5)  # type: ignore[call-arg]
    SessionManager(5)  # type: ignore[arg-type, call-arg]
    Fallback("openai")  # type: ignore[arg-type]


async def streams() -> None:
    for _ in llm.stream("Hello"):  # type: ignore[attr-defined]
        pass
    await llm.stream("Hello")  # type: ignore[misc]
    with llm.stream("Hello"):  # type: ignore[attr-defined]
        pass
    async for _ in llm.complete("Hello"):  # type: ignore[attr-defined]
        pass
    llm.complete("Hello")  # type: ignore[unused-coroutine]
