"""The page of the models: what each says of itself, which one reads, and what none of them must be used for."""

from __future__ import annotations

import tkinter as tk
from tkinter import ttk
from typing import TYPE_CHECKING, Any

from mien.apps.desktop.model_list import called
from mien.apps.desktop.widgets import Note, Scrolled, Soon, Words, button, watch_width
from mien.apps.desktop.widgets import card as card_of
from mien.apps.session.model_cards import comparison, facts, percent
from mien.models import ModelCard
from mien.text import DISCLAIMER, LIMITATIONS, PROHIBITED_USES

if TYPE_CHECKING:
    from mien.apps.desktop.window import Window


class Page(ttk.Frame):
    """Shows the models that are installed, and the one in use wherever it is from."""

    def __init__(self, parent: tk.Misc, window: Window) -> None:
        super().__init__(parent)
        self._window, self._theme, self._ground = window, window.theme, window.desk.ground
        self._shelf = window.desk.shelf
        theme, gap = self._theme, self._theme.long(16)
        head = ttk.Frame(self, padding=(gap, gap, gap, theme.long(8)))
        head.pack(fill="x")
        ttk.Label(head, text="Models", style="Title.TLabel").pack(side="left")
        button(head, theme, "Open a model file…", window.dialogs.open_model, icon="open").pack(side="right")
        self._around = Scrolled(self, theme)
        self._around.pack(fill="both", expand=True)
        self._body = self._around.inner
        self._body.configure(padding=(gap, 0, gap, gap))
        soon = Soon(self, self._show)
        for topic in ("models", "card"):
            self._ground.bells.hear(topic, soon)
        self._shelf.look()
        self._show()

    def _show(self) -> None:
        for part in self._body.winfo_children():
            part.destroy()
        gap = self._theme.long(12)
        text = "Every number is measured on faces that the model did not learn from."
        Words(self._body, text, "Muted.TLabel").pack(fill="x", pady=(0, gap))
        if not self._shelf.cards:
            ttk.Label(self._body, text="The models are being looked up …", style="Muted.TLabel").pack(anchor="w")
        for name, card in self._shelf.cards.items():
            self._card(name, card).pack(fill="x", pady=(0, gap))
        limits = card_of(self._body, self._theme)
        limits.pack(fill="x", pady=(0, gap))
        ttk.Label(limits, text="What none of them can do", style="Card.Strong.TLabel").pack(anchor="w")
        for sentence in (DISCLAIMER, *LIMITATIONS):
            Words(limits, f"•  {sentence}", "Card.TLabel").pack(fill="x", pady=(self._theme.long(4), 0))
        Note(self._body, self._theme, PROHIBITED_USES).pack(fill="x")

    def _card(self, name: str, card: ModelCard) -> ttk.Frame:
        theme, ground = self._theme, self._ground
        frame = card_of(self._body, theme)
        frame.columnconfigure(1, weight=1)
        frame.columnconfigure(2, weight=1, minsize=theme.long(200))
        ttk.Label(frame, text=called(name), style="Card.Large.TLabel").grid(row=0, column=0, columnspan=2, sticky="w")
        if name == ground.choice.model:
            ttk.Label(frame, text="reads now", style="Card.Muted.TLabel").grid(row=0, column=2, sticky="e")
        else:
            choose = ground.choice._replace(model=name)
            read = button(frame, theme, "Read with this one", lambda: ground.choose(choose), style="Card.TButton")
            read.grid(row=0, column=2, sticky="e")
        measured = [(words, cells[0]) for words, cells in comparison({name: card})]
        told, numbers = self._facts(frame, facts(card)), self._facts(frame, measured)
        space = theme.long(10)

        def arrange(narrow: bool) -> None:
            told.grid(row=1, column=0, columnspan=3 if narrow else 2, sticky="new", pady=space)
            below: dict[str, Any] = (
                {"row": 2, "column": 0, "columnspan": 3} if narrow else {"row": 1, "column": 2, "columnspan": 1}
            )
            numbers.grid(sticky="new", pady=space, **below)

        watch_width(frame, theme, arrange)
        if scores := card.scores.get("per_class"):
            self._classes(frame, scores).grid(row=3, column=0, columnspan=3, sticky="ew")
        return frame

    def _facts(self, parent: tk.Misc, rows: list[tuple[str, str]]) -> ttk.Frame:
        theme = self._theme
        frame = ttk.Frame(parent, style="Raised.TFrame")
        frame.columnconfigure(1, weight=1)
        for row, (name, value) in enumerate(rows):
            label = ttk.Label(frame, text=name, style="Card.Muted.TLabel", wraplength=theme.long(190))
            label.grid(row=row, column=0, sticky="nw", pady=theme.long(2))
            Words(frame, value, "Card.TLabel").grid(row=row, column=1, sticky="ew", padx=theme.long(12))
        return frame

    def _classes(self, parent: tk.Misc, scores: dict[str, Any]) -> ttk.Frame:
        theme = self._theme
        frame = ttk.Frame(parent, style="Raised.TFrame")
        heads = ("expression", "faces", "right when it says so", "found when it is so", "F1")
        for column, words in enumerate(heads):
            frame.columnconfigure(column, weight=1)
            label = ttk.Label(frame, text=words, style="Card.Muted.TLabel")
            label.grid(row=0, column=column, sticky="w" if not column else "e", padx=theme.long(4))
        for row, (name, score) in enumerate(scores.items(), 1):
            label = ttk.Label(frame, text=f" {name}", image=theme.face(name, 20), compound="left", style="Card.TLabel")
            label.grid(row=row, column=0, sticky="w", pady=theme.long(2))
            told = (
                f"{score['support']:,}",
                percent(score["precision"]),
                percent(score["recall"]),
                f"{score['f1']:.2f}",
            )
            for column, words in enumerate(told, 1):
                cell = ttk.Label(frame, text=words, style="Card.TLabel")
                cell.grid(row=row, column=column, sticky="e", padx=theme.long(4))
        return frame
