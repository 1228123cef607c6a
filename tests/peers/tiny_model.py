"""Writes a tiny llama model with random weights: nonsense, which a real server serves for real."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from gguf import GGUFWriter, LlamaFileType, TokenType

LAYERS, HEADS, WIDTH, INNER_WIDTH = 2, 4, 64, 128
TRAINED_CONTEXT = 1024

# Every byte is a token, so that any text can be read, and any bytes can be written: random ones
# are rarely whole UTF-8. The texts beside them are what streams of text have stumbled over.
_BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
_TEXTS = ["▁", "▁и", "é", "ж", "語", "ح", "\u2028", "\u0085", "👩", "\u200d", "🏽", "data:", "\n\n"]
_VOCABULARY = [
    ("<unk>", TokenType.UNKNOWN),
    ("<s>", TokenType.CONTROL),
    ("</s>", TokenType.CONTROL),
    *((token, TokenType.BYTE) for token in _BYTES),
    *((token, TokenType.NORMAL) for token in _TEXTS),
    ("<tool_call>\n", TokenType.USER_DEFINED),  # one token, so that a bias can make it come
]
_UNKNOWN, _BEGIN, _END = range(3)

# llama.cpp reads out of the template how the model writes its thinking and its tool calls.
_CHAT_TEMPLATE = """\
{%- if tools %}system: Tools:
{% for tool in tools %}{{ tool | tojson }}
{% endfor %}{% endif %}
{%- for message in messages %}{{ message.role }}: {% if message.reasoning_content %}<think>
{{ message.reasoning_content }}
</think>

{% endif %}{{ message.content or "" }}
{%- for call in message.tool_calls or [] %}
<tool_call>
{"name": "{{ call.function.name }}", "arguments": {{ call.function.arguments | tojson }}}
</tool_call>
{%- endfor %}</s>
{% endfor %}
{%- if add_generation_prompt %}assistant: {% endif %}"""


def write_tiny_model(path: Path, *, seed: int = 1) -> None:
    """Write the model to `path`; the same `seed` gives the same weights."""
    writer = GGUFWriter(path, "llama")
    _describe(writer)
    for name, weights in _tensors(np.random.default_rng(seed)):
        writer.add_tensor(name, weights)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _describe(writer: GGUFWriter) -> None:
    writer.add_name("tiny")
    writer.add_file_type(LlamaFileType.ALL_F32)
    writer.add_context_length(TRAINED_CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(INNER_WIDTH)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(_VOCABULARY))
    writer.add_tokenizer_model("llama")
    writer.add_token_list([token for token, _ in _VOCABULARY])
    writer.add_token_scores([0.0] * len(_VOCABULARY))
    writer.add_token_types([kind for _, kind in _VOCABULARY])
    writer.add_unk_token_id(_UNKNOWN)
    writer.add_bos_token_id(_BEGIN)
    writer.add_eos_token_id(_END)
    writer.add_add_bos_token(True)
    writer.add_add_space_prefix(False)
    writer.add_chat_template(_CHAT_TEMPLATE)


def _tensors(random: np.random.Generator) -> Iterator[tuple[str, np.ndarray]]:
    def weights(*shape: int) -> np.ndarray:
        return random.normal(0, shape[-1] ** -0.5, shape).astype(np.float32)

    scale = np.ones(WIDTH, np.float32)
    yield "token_embd.weight", weights(len(_VOCABULARY), WIDTH)
    yield "output_norm.weight", scale
    yield "output.weight", weights(len(_VOCABULARY), WIDTH)
    for block in (f"blk.{layer}" for layer in range(LAYERS)):
        yield f"{block}.attn_norm.weight", scale
        yield f"{block}.ffn_norm.weight", scale
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            yield f"{block}.{name}.weight", weights(WIDTH, WIDTH)
        yield f"{block}.ffn_gate.weight", weights(INNER_WIDTH, WIDTH)
        yield f"{block}.ffn_up.weight", weights(INNER_WIDTH, WIDTH)
        yield f"{block}.ffn_down.weight", weights(WIDTH, INNER_WIDTH)
