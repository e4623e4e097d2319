"""The ground floor: what planner, core and Lambdas must agree on, each thing once.

Standard library only, Python 3.8 and newer: it travels in the functions' zip and in the wheel.
Everything may import it; it imports nothing of Fanfold.
"""
