"""The parameters that some servers know, besides the common ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence  # noqa: TC003 - the reference reads them
from typing import TypedDict


class NativeParams(TypedDict, total=False):
    """Parameters of wires that are not OpenAI's chat wire, by the names that they have there."""

    # OpenAI's Responses
    background: bool
    conversation: str | Mapping[str, object]
    include: Sequence[str]
    instructions: str
    max_tool_calls: int
    previous_response_id: str
    text: Mapping[str, object]
    # Anthropic
    betas: Sequence[str]
    container: str | Mapping[str, object]
    context_management: Mapping[str, object]
    mcp_servers: Sequence[Mapping[str, object]]
    output_config: Mapping[str, object]

    # Gemini
    cachedContent: str
    generationConfig: Mapping[str, object]
    mediaResolution: str
    responseModalities: Sequence[str]
    safetySettings: Sequence[Mapping[str, object]]
    speechConfig: Mapping[str, object]
    thinkingConfig: Mapping[str, object]
    toolConfig: Mapping[str, object]


class ProviderParams(NativeParams, total=False):
    """Parameters that only some servers know, by the names that they have there.

    `stream()` and `complete()` send them unchanged. Type checkers want any other parameter in
    `extra`; when the program runs, any name is sent unless it looks like one of these, misspelled.
    """

    # OpenAI
    audio: Mapping[str, object]
    function_call: str | Mapping[str, object]
    functions: Sequence[Mapping[str, object]]
    metadata: Mapping[str, str]
    modalities: Sequence[str]
    prediction: Mapping[str, object]
    prompt_cache_key: str
    prompt_cache_retention: str
    reasoning: Mapping[str, object]
    safety_identifier: str
    service_tier: str
    store: bool
    stream_options: Mapping[str, object]
    verbosity: str
    web_search_options: Mapping[str, object]
    # OpenRouter, and gateways
    cache: bool | str | Sequence[str] | Mapping[str, object]  # Anthropic's too
    debug: Mapping[str, object]
    speed: str
    trace: Mapping[str, object]
    fallbacks: Sequence[object]
    include_reasoning: bool
    models: Sequence[str]
    plugins: Sequence[Mapping[str, object]]
    provider: Mapping[str, object]
    route: str
    session_id: str
    transforms: Sequence[str]
    usage: Mapping[str, object]
    # Mistral, DeepSeek, Groq, xAI, Perplexity, Cohere, Anthropic, Gemini, Together, Fireworks
    citation_options: Mapping[str, object]
    compound_custom: Mapping[str, object]
    context_length_exceeded_behavior: str
    cum_logprobs: bool
    disable_search: bool
    documents: Sequence[object]
    enable_search: bool
    enable_thinking: bool
    exclude_domains: Sequence[str]
    image_response_format: str
    include_domains: Sequence[str]
    language_preference: str
    max_output_tokens: int
    media_response: Mapping[str, object]
    prompt_mode: str
    random_seed: int
    reasoning_format: str
    return_images: bool
    return_related_questions: bool
    safe_prompt: bool
    safety_mode: str
    safety_model: str
    safety_settings: Sequence[Mapping[str, object]]
    search_after_date_filter: str
    search_before_date_filter: str
    search_domain_filter: Sequence[str]
    search_mode: str
    search_options: Mapping[str, object]
    search_parameters: Mapping[str, object]
    search_recency_filter: str
    search_settings: Mapping[str, object]
    strict_tools: bool
    thinking: Mapping[str, object]
    thinking_budget: int
    # vLLM, SGLang, llama.cpp, Ollama, LM Studio, and TGI
    add_generation_prompt: bool
    add_special_tokens: bool
    adapter_id: str
    allowed_token_ids: Sequence[int]
    bad_words: Sequence[str]
    beam_width: int
    best_of: int
    cache_prompt: bool
    cache_salt: str
    chat_template: str
    chat_template_kwargs: Mapping[str, object]
    continue_final_message: bool
    custom_params: Mapping[str, object]
    decoder_input_details: bool
    details: bool
    do_sample: bool
    dry_allowed_length: int
    dry_base: float
    dry_multiplier: float
    dry_penalty_last_n: int
    dry_sequence_breakers: Sequence[str]
    dynatemp_exponent: float
    dynatemp_range: float
    early_stopping: bool
    ebnf: str
    echo: bool
    format: str | Mapping[str, object]
    grammar: object
    grammar_lazy: bool
    grammar_triggers: Sequence[object]
    guided_choice: Sequence[str]
    guided_decoding_backend: str
    guided_grammar: str
    guided_json: object
    guided_regex: str
    guided_whitespace_pattern: str
    id: str
    id_slot: int
    ignore_eos: bool
    include_stop_str_in_output: bool
    input: object
    is_retry: bool
    json_schema: Mapping[str, object]
    keep_alive: str | int
    kv_transfer_params: Mapping[str, object]
    length_penalty: float
    logits_processors: Sequence[object]
    lora: object
    lora_path: str
    max_length: int
    max_new_tokens: int
    max_time: float
    min_keep: int
    min_length: int
    min_new_tokens: int
    min_p: float
    min_tokens: int
    mirostat: int
    mode: str
    mirostat_eta: float
    mirostat_tau: float
    mm_processor_kwargs: Mapping[str, object]
    n_keep: int
    n_predict: int
    n_probs: int
    no_repeat_ngram_size: int
    num_beams: int
    num_ctx: int
    num_predict: int
    options: Mapping[str, object]
    parse_tool_calls: bool
    penalize_nl: bool
    penalty_alpha: float
    post_sampling_probs: bool
    priority: int
    prompt_logprobs: int
    raw: bool
    regex: str
    repeat_last_n: int
    repeat_penalty: float
    repetition_penalty: float
    request_id: str
    response_fields: Sequence[str]
    response_id: str
    return_full_text: bool
    return_hidden_states: bool
    return_progress: bool
    return_tokens: bool
    return_tokens_as_token_ids: bool
    samplers: Sequence[str]
    separate_reasoning: bool
    skip_special_tokens: bool
    spaces_between_special_tokens: bool
    stop_regex: str | Sequence[str]
    stop_sequence: Sequence[str]
    stop_sequences: Sequence[str]
    stop_token_ids: Sequence[int]
    stream_reasoning: bool
    structural_tag: object
    structured_outputs: Mapping[str, object]
    suffix: str
    t_max_predict_ms: int
    temperature_last: bool
    template: str
    tfs_z: float
    think: bool | str
    timings_per_token: bool
    tool_prompt: str
    top_a: float
    top_h: float
    top_n: int
    top_n_sigma: float
    top_n_tokens: int
    truncate: int
    truncate_prompt_tokens: int
    truncation: str
    ttl: int
    typical: float
    typical_p: float
    use_beam_search: bool
    use_cache: bool
    vllm_xargs: Mapping[str, object]
    watermark: bool
    web_search: bool
    web_search_id: str
    xtc_probability: float
    xtc_threshold: float
