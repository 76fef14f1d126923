"""The page Models: the cards of the installed models, the one in use, and what none of them must be used for."""

from __future__ import annotations

import tkinter as tk
from functools import partial
from tkinter import ttk
from typing import Any

from mien.apps.desktop.commands import PageOwner
from mien.apps.desktop.state import short_model_name
from mien.apps.desktop.widgets import (
    IdleCallback,
    Notice,
    ScrollFrame,
    WrappedLabel,
    create_button,
    create_card,
    on_narrow,
)
from mien.apps.session.model_cards import compare_cards, format_score, list_facts
from mien.models import ModelCard
from mien.text import DISCLAIMER, LIMITATIONS, PROHIBITED_USES


class ModelsPage(ttk.Frame):
    """Shows the installed models and the one in use, which may be a file."""

    def __init__(self, parent: tk.Misc, window: PageOwner) -> None:
        super().__init__(parent)
        self._theme, self._state = window.theme, window.application.state
        theme, gap = self._theme, self._theme.px(16)
        head = ttk.Frame(self, padding=(gap, gap, gap, theme.px(8)))
        head.pack(fill="x")
        ttk.Label(head, text="Models", style="Title.TLabel").pack(side="left")
        open_model = window.dialogs.open_model
        create_button(head, theme, "Open a model file…", open_model, icon="open").pack(side="right")
        self.scroll_frame = ScrollFrame(self, theme)
        self.scroll_frame.pack(fill="both", expand=True)
        self._body = self.scroll_frame.inner
        self._body.configure(padding=(gap, 0, gap, gap))
        self._state.events.subscribe(IdleCallback(self, self._show), "models", "card")
        self._state.refresh_models()
        self._show()

    def _show(self) -> None:
        for child in self._body.winfo_children():
            child.destroy()
        gap = self._theme.px(12)
        text = "All scores were measured on faces that were not used for training."
        WrappedLabel(self._body, text, "Muted.TLabel").pack(fill="x", pady=(0, gap))
        if not self._state.cards:
            ttk.Label(self._body, text="Listing the models …", style="Muted.TLabel").pack(anchor="w")
        for name, card in self._state.cards.items():
            self._build_card(name, card).pack(fill="x", pady=(0, gap))
        limits = create_card(self._body, self._theme)
        limits.pack(fill="x", pady=(0, gap))
        ttk.Label(limits, text="Limitations of all models", style="Card.Strong.TLabel").pack(anchor="w")
        for sentence in (DISCLAIMER, *LIMITATIONS):
            WrappedLabel(limits, f"•  {sentence}", "Card.TLabel").pack(fill="x", pady=(self._theme.px(4), 0))
        Notice(self._body, self._theme, PROHIBITED_USES).pack(fill="x")

    def _build_card(self, name: str, card: ModelCard) -> ttk.Frame:
        theme, state = self._theme, self._state
        frame = create_card(self._body, theme)
        frame.columnconfigure(1, weight=1)
        frame.columnconfigure(2, weight=1, minsize=theme.px(200))
        title = ttk.Label(frame, text=short_model_name(name), style="Card.Large.TLabel")
        title.grid(row=0, column=0, columnspan=2, sticky="w")
        if name == state.selection.model:
            ttk.Label(frame, text="in use", style="Card.Muted.TLabel").grid(row=0, column=2, sticky="e")
        else:
            choose = partial(state.change_selection, model=name)
            use = create_button(frame, theme, "Use this model", choose, style="Card.TButton")
            use.grid(row=0, column=2, sticky="e")
        scores = [(measure, cells[0]) for measure, cells in compare_cards({name: card})]
        facts, measures = self._build_rows(frame, list_facts(card)), self._build_rows(frame, scores)

        def arrange(narrow: bool) -> None:
            facts.grid(row=1, column=0, columnspan=3 if narrow else 2, sticky="new", pady=theme.px(10))
            row, column, columns = (2, 0, 3) if narrow else (1, 2, 1)
            measures.grid(row=row, column=column, columnspan=columns, sticky="new", pady=theme.px(10))

        on_narrow(frame, theme, arrange)
        if per_class := card.metrics.get("per_class"):
            self._build_class_table(frame, per_class).grid(row=3, column=0, columnspan=3, sticky="ew")
        return frame

    def _build_rows(self, parent: tk.Misc, rows: list[tuple[str, str]]) -> ttk.Frame:
        theme = self._theme
        frame = ttk.Frame(parent, style="CardInner.TFrame")
        frame.columnconfigure(1, weight=1)
        for row, (name, value) in enumerate(rows):
            label = ttk.Label(frame, text=name, style="Card.Muted.TLabel", wraplength=theme.px(190))
            label.grid(row=row, column=0, sticky="nw", pady=theme.px(2))
            WrappedLabel(frame, value, "Card.TLabel").grid(row=row, column=1, sticky="ew", padx=theme.px(12))
        return frame

    def _build_class_table(self, parent: tk.Misc, per_class: dict[str, Any]) -> ttk.Frame:
        theme = self._theme
        frame = ttk.Frame(parent, style="CardInner.TFrame")
        for column, heading in enumerate(("emotion", "faces", "precision", "recall", "F1")):
            frame.columnconfigure(column, weight=1)
            label = ttk.Label(frame, text=heading, style="Card.Muted.TLabel")
            label.grid(row=0, column=column, sticky="e" if column else "w", padx=theme.px(4))
        for row, (name, score) in enumerate(per_class.items(), 1):
            icon = theme.face_icon(name, 20)
            label = ttk.Label(frame, text=f" {name}", image=icon, compound="left", style="Card.TLabel")
            label.grid(row=row, column=0, sticky="w", pady=theme.px(2))
            values = (
                f"{score['support']:,}",
                format_score(score["precision"]),
                format_score(score["recall"]),
                f"{score['f1']:.2f}",
            )
            for column, value in enumerate(values, 1):
                cell = ttk.Label(frame, text=value, style="Card.TLabel")
                cell.grid(row=row, column=column, sticky="e", padx=theme.px(4))
        return frame
