from flask import Blueprint

routes = Blueprint("described", __name__)
