"""Every command by name, with its keys: what menus, the keyboard and the page of keys are made of."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from pathlib import Path
from tkinter import ttk
from typing import TYPE_CHECKING, NamedTuple

from mien.apps.desktop import style, system_settings
from mien.apps.desktop.application import PAGES
from mien.apps.desktop.dialogs import SAVED
from mien.apps.desktop.model_list import called
from mien.apps.desktop.saving import KINDS
from mien.apps.desktop.settings import TEXTS, THEMES

if TYPE_CHECKING:
    from mien.apps.desktop.window import Window

#: What the pages are called.
NAMES = dict(zip(PAGES, ("Photo", "Camera", "Video", "Inside", "Models"), strict=True))


class Command(NamedTuple):
    """``keys`` are Tk's names of them, such as ``Mod-Shift-o``; ``Mod`` is Control, or Command on a Mac."""

    menu: str
    words: str
    act: Callable[[], object]
    keys: str = ""

    @property
    def shown(self) -> str:
        """The keys as people write them."""
        names = {
            "Mod": "⌘" if system_settings.modifier() == "Command" else "Ctrl",
            "Prior": "Page Up",
            "Next": "Page Down",
        }
        names |= {"plus": "+", "minus": "-", "space": "Space", "Escape": "Esc", "0": "0"}
        return "+".join(names.get(key, key.upper() if len(key) == 1 else key) for key in self.keys.split("-"))


class Menus:
    """The menu bar, menus behind buttons, and the keys."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self.commands = self._commands()
        self._variables: dict[str, tk.StringVar] = {}
        self._bar: tk.Menu | None = None

    def attach(self) -> None:
        """The menu bar and the keys, for a window that was just built."""
        root, theme = self._window.root, self._window.theme
        if self._bar is not None:
            self._bar.destroy()
        bar = self._bar = style.menu(theme, root)
        for name in ("File", "Edit", "View", "Read", "Help"):
            bar.add_cascade(label=name, menu=self._menu(bar, name), underline=0)
        root.configure(menu=bar)
        for kind in ("TButton", "TRadiobutton", "TCheckbutton"):
            root.bind_class(kind, "<Return>", lambda event: event.widget.invoke())
        for command in self.commands:
            if command.keys:
                for sequence in _sequences(command.keys):
                    root.bind(sequence, lambda event, command=command: self._pressed(event, command))  # type: ignore[misc]

    def button(self, parent: tk.Misc, words: str, kind: str) -> ttk.Menubutton:
        """A button with a menu: ``save`` for pictures, ``film`` for what comes of films."""
        theme = self._window.theme
        made = ttk.Menubutton(parent, text=f" {words}", image=theme.icon("save"), compound="left")
        menu = style.menu(theme, made)
        self._fill_save(menu) if kind == "save" else self._fill_film(menu)
        made.configure(menu=menu)
        return made

    def _commands(self) -> list[Command]:
        window, desk, dialogs = self._window, self._window.desk, self._window.dialogs
        album, ground = desk.album, desk.ground
        pages = [
            Command("View", NAMES[page], lambda page=page: desk.show(page), f"Mod-{place}")  # type: ignore[misc]
            for place, page in enumerate(PAGES, 1)
        ]
        return [
            Command("File", "Open pictures…", dialogs.open_pictures, "Mod-o"),
            Command("File", "Open a folder…", dialogs.open_folder, "Mod-Shift-o"),
            Command("File", "Open a film…", dialogs.open_film, "Mod-m"),
            Command("File", "Save annotated picture…", lambda: dialogs.save("picture"), "Mod-s"),
            Command("File", "Close picture", album.close, "Mod-w"),
            Command("File", "Close all pictures", album.clear, "Mod-Shift-w"),
            Command("File", "Quit", window.quit, "Mod-q"),
            Command("Edit", "Copy as JSON", lambda: window.copy("json"), "Mod-c"),
            Command("Edit", "Copy as table", lambda: window.copy("csv"), "Mod-Shift-c"),
            Command("Edit", "Paste a picture", window.paste, "Mod-v"),
            *pages,
            Command("View", "Picture before", lambda: window.turn(-1), "Prior"),
            Command("View", "Next picture", lambda: window.turn(1), "Next"),
            Command("View", "Face before", lambda: album.turn(-1), "p"),
            Command("View", "Next face", lambda: album.turn(1), "n"),
            Command("View", "Larger text", lambda: window.enlarge(1), "Mod-plus"),
            Command("View", "Smaller text", lambda: window.enlarge(-1), "Mod-minus"),
            Command("View", "Text of usual size", lambda: ground.change(text=1.0), "Mod-0"),
            Command("View", "Full screen", window.fill_screen, "F11"),
            Command("Read", "Start or stop the camera", window.switch_camera, "F5"),
            Command("Read", "Play or pause", lambda: window.press("space"), "space"),
            Command("Read", "Snapshot", lambda: window.press("s"), "s"),
            Command("Read", "Where it looks", lambda: window.press("w"), "w"),
            Command("Read", "Inside, under the camera", lambda: window.press("i"), "i"),
            Command("Read", "Smoothing", lambda: window.press("t"), "t"),
            Command("Read", "Cancel", desk.cancel, "Escape"),
            Command("Help", "Keyboard", dialogs.keys, "F1"),
            Command("Help", "About mien", dialogs.about),
        ]

    def _menu(self, bar: tk.Menu, name: str) -> tk.Menu:
        menu = style.menu(self._window.theme, bar)
        for command in self.commands:
            if command.menu == name:
                if command.words in (
                    "Save annotated picture…",
                    "Close picture",
                    "Quit",
                    "Picture before",
                    "Larger text",
                ):
                    menu.add_separator()
                menu.add_command(label=command.words, command=command.act, accelerator=command.shown)
                self._after(menu, command.words)
        return menu

    def _after(self, menu: tk.Menu, words: str) -> None:
        """The menus within menus, each behind the command it belongs to."""
        match words:
            case "Open a film…":
                recent = style.menu(self._window.theme, menu)
                recent.configure(postcommand=lambda: self._fill_recent(recent))
                menu.add_cascade(label="Open again", menu=recent)
            case "Save annotated picture…":
                for name, fill in (("Save what was read", self._fill_save), ("Save of the film", self._fill_film)):
                    fill(within := style.menu(self._window.theme, menu))
                    menu.add_cascade(label=name, menu=within)
            case "Full screen":
                self._choices(menu, "Appearance", "theme", {theme: theme for theme in THEMES})
                self._choices(menu, "Size of the text", "text", {f"{100 * size:.0f} %": size for size in TEXTS})
            case "Cancel":
                self._readers(menu)

    def _choices(self, menu: tk.Menu, name: str, setting: str, values: dict[str, object]) -> None:
        ground = self._window.desk.ground
        within = style.menu(self._window.theme, menu)
        now = next((words for words, value in values.items() if value == getattr(ground.settings, setting)), "")
        variable = self._variables[setting] = tk.StringVar(self._window.root, now)
        for words, value in values.items():
            shown = {"system": "as the system", "light": "light", "dark": "dark"}.get(words, words)
            act = lambda value=value: ground.change(**{setting: value})  # noqa: E731
            within.add_radiobutton(label=shown, value=words, variable=variable, command=act)
        menu.add_cascade(label=name, menu=within)

    def _readers(self, menu: tk.Menu) -> None:
        """Who reads, and who finds the faces; filled when it is opened."""
        menu.add_separator()
        for name, part in (("Model", "model"), ("Faces found by", "detector")):
            within = style.menu(self._window.theme, menu)
            within.configure(postcommand=lambda within=within, part=part: self._fill_readers(within, part))  # type: ignore[misc]
            menu.add_cascade(label=name, menu=within)

    def _fill_readers(self, menu: tk.Menu, part: str) -> None:
        ground, shelf = self._window.desk.ground, self._window.desk.shelf
        menu.delete(0, "end")
        variable = self._variables[part] = tk.StringVar(self._window.root, getattr(ground.choice, part))
        for name in shelf.models if part == "model" else shelf.detectors:
            act = lambda name=name: ground.choose(ground.choice._replace(**{part: name}))  # noqa: E731
            menu.add_radiobutton(label=called(name), value=name, variable=variable, command=act)

    def _fill_recent(self, menu: tk.Menu) -> None:
        ground = self._window.desk.ground
        menu.delete(0, "end")
        for word in ground.settings.recent:
            menu.add_command(label=Path(word).name, command=lambda word=word: self._window.desk.open([Path(word)]))  # type: ignore[misc]
        if not ground.settings.recent:
            menu.add_command(label="nothing yet", state="disabled")
            return
        menu.add_separator()
        menu.add_command(label="Forget these", command=lambda: ground.change(recent=()))

    def _fill_save(self, menu: tk.Menu) -> None:
        for kind, (words, _, _) in SAVED.items():
            menu.add_command(label=f"{words}…", command=lambda kind=kind: self._window.dialogs.save(kind))  # type: ignore[misc]

    def _fill_film(self, menu: tk.Menu) -> None:
        for kind, (words, _, _) in KINDS.items():
            menu.add_command(label=f"{words}…", command=lambda kind=kind: self._window.dialogs.save_film(kind))  # type: ignore[misc]

    def _pressed(self, event: tk.Event[tk.Misc], command: Command) -> str | None:
        """Letters belong to a field that is written in, and Space to the button that has the keyboard."""
        in_field = isinstance(event.widget, ttk.Entry | tk.Entry) and str(event.widget.cget("state")) != "readonly"
        if in_field and ("-" not in command.keys or command.menu == "Edit"):
            return None
        if command.keys == "space" and isinstance(event.widget, ttk.Button | ttk.Checkbutton | ttk.Radiobutton):
            return None
        if event.widget.winfo_toplevel() is not self._window.root:
            return None
        command.act()
        return "break"


def _sequences(keys: str) -> list[str]:
    """Tk's events for the keys; a letter with Shift is another letter."""
    *held, key = keys.split("-")
    prefix = "".join(f"{system_settings.modifier() if name == 'Mod' else name}-" for name in held)
    if "Shift" in held:
        return [f"<{prefix}{key.upper()}>"]
    if len(key) == 1 and key.isdigit():
        return [f"<{prefix}Key-{key}>"]
    if key == "plus":
        return [f"<{prefix}plus>", f"<{prefix}equal>", f"<{prefix}KP_Add>"]
    if key == "minus":
        return [f"<{prefix}minus>", f"<{prefix}KP_Subtract>"]
    return [f"<{prefix}{key}>"] if held or len(key) > 1 else [f"<Key-{key}>"]
