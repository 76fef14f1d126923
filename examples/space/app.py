"""The Gradio page on a Space: a public page with no machine of your own. Copy this folder there."""

from mien.apps.gradio import build_page

demo = build_page()

if __name__ == "__main__":
    demo.launch()
