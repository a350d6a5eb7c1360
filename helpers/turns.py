"""The turns of a chat: who may speak, and in what order."""

from helpers.errors import InputError

ROLES = ("system", "user", "assistant")


def check_turns(turns: list[dict], row: str, learn: bool) -> None:
    """InputError if the turns of a row cannot be learnt from, or answered."""
    if not turns:
        raise InputError(f"messages in {row} hold no turn; delete the row")
    roles = [turn.get("role") for turn in turns]
    for role, turn in zip(roles, turns, strict=True):
        if role not in ROLES:
            raise InputError(f"role '{role}' in {row} is not one of {', '.join(ROLES)}; rename it")
        content = turn.get("content")
        if not isinstance(content, str) or (not content.strip() and role != "system"):
            what = "completion" if role == "assistant" else "prompt"
            raise InputError(f"{what} in {row} is empty or no text; fill it or delete the row")
    if "system" in roles[1:]:
        raise InputError(f"{row} has a system turn after its first turn; keep one, and at the start")
    if (roles[-1] == "assistant") != learn or "user" not in roles:
        wanted = "an assistant's, after a user's" if learn else "a user's"
        raise InputError(f"the last turn in {row} is '{roles[-1]}' and must be {wanted}, as in the first row")
