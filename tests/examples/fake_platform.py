"""A chat platform with the part of Telegram's HTTP API that a bot needs, strict as the real one."""

import asyncio
from dataclasses import dataclass

from aiohttp import web

TOKEN = "12345:a-secret-token"
MOST_UNITS = 4096  # of UTF-16, in one message


@dataclass
class Call:
    """A call that writes in a chat, and what came of it."""

    at: float
    method: str
    chat: int
    text: str
    message: int | None
    status: int


class Platform:
    """Users write with `write`; what their chats show is in `shown`, and every call in `calls`.

    Args:
        interval: seconds between two writing calls for a chat; sooner ones are refused with 429.
        retry_after: what such a refusal asks for, and insists on.

    """

    def __init__(self, interval=0.1, retry_after=1):
        self.calls = []
        self.shown = {}  # message → its text
        self.blocked = set()
        self.url = ""
        self._interval, self._retry_after = interval, retry_after
        self._updates = []
        self._news = asyncio.Event()
        self._free_at = {}
        self._refusals = {}
        self._runner = None
        self._port = 0

    async def __aenter__(self):
        app = web.Application()
        app.router.add_post(f"/bot{TOKEN}/{{method}}", self._handle)
        app.router.add_post("/{path:.*}", self._unauthorized)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        self._port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{self._port}"
        return self

    async def __aexit__(self, *_):
        await self._runner.cleanup()

    def write(self, chat, text):
        """Be a user who writes."""
        update = {"update_id": 100 + len(self._updates)}
        update["message"] = {"message_id": 1, "chat": {"id": chat}, "text": text}
        self._updates.append(update)
        self._news.set()

    def deliver(self, update):
        """Send an update of another kind."""
        self._updates.append({"update_id": 100 + len(self._updates), **update})
        self._news.set()

    def refuse_next(self, chat, count=1):
        """Refuse the next writing calls for a chat, whenever they come."""
        self._refusals[chat] = count

    def in_chat(self, chat):
        """Return the texts that a chat shows, in the order of their messages."""
        ids = dict.fromkeys(c.message for c in self.calls if c.chat == chat and c.status == 200)
        return [self.shown[message] for message in ids]

    def calls_for(self, chat, status=200):
        return [call for call in self.calls if (call.chat, call.status) == (chat, status)]

    async def _handle(self, request):
        params = await request.json()
        match request.match_info["method"]:
            case "getUpdates":
                return await self._get_updates(**params)
            case "sendMessage":
                return self._write("sendMessage", **params)
            case "editMessageText":
                return self._write("editMessageText", **params)
        return _error(404, "Not Found")

    async def _unauthorized(self, _request):
        return _error(401, "Unauthorized")

    async def _get_updates(self, offset, allowed_updates, **waiting):
        assert allowed_updates == ["message"]
        end = asyncio.get_running_loop().time() + waiting["timeout"]
        while not (new := [u for u in self._updates if u["update_id"] >= offset]):
            self._news.clear()
            left = end - asyncio.get_running_loop().time()
            try:
                async with asyncio.timeout(left):
                    await self._news.wait()
            except TimeoutError:
                break
        return _result(new)

    def _write(self, method, chat_id, text, message_id=None):
        now = asyncio.get_running_loop().time()
        call = Call(now, method, chat_id, text, message_id, 200)
        self.calls.append(call)
        code, why = self._why_not(call)
        if code != 200:
            call.status = code
            more = {"parameters": {"retry_after": self._retry_after}} if code == 429 else {}
            return _error(code, why, **more)
        self._free_at[chat_id] = now + self._interval
        if call.message is None:
            call.message = len(self.shown) + 1
        self.shown[call.message] = text
        return _result({"message_id": call.message, "text": text})

    def _why_not(self, call):
        if self._refusals.get(call.chat, 0) > 0 or call.at < self._free_at.get(call.chat, 0):
            self._refusals[call.chat] = max(0, self._refusals.get(call.chat, 0) - 1)
            self._free_at[call.chat] = call.at + self._retry_after
            return 429, f"Too Many Requests: retry after {self._retry_after}"
        if call.chat in self.blocked:
            return 403, "Forbidden: bot was blocked by the user"
        wrong = {
            "message text is empty": not call.text.strip(),
            "message is too long": len(call.text.encode("utf-16-le")) // 2 > MOST_UNITS,
            "message to edit not found": call.message not in {None, *self.shown},
            "message is not modified": self.shown.get(call.message) == call.text,
        }
        for why, is_so in wrong.items():
            if is_so:
                return 400, f"Bad Request: {why}"
        return 200, ""


def _result(result):
    return web.json_response({"ok": True, "result": result})


def _error(code, description, **more):
    answer = {"ok": False, "error_code": code, "description": description, **more}
    return web.json_response(answer, status=code)
