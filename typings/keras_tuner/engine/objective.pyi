class Objective:
    name: str
    direction: str
    def __init__(self, name: str, direction: str) -> None: ...
