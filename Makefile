# Short names for tasks.py, which does the work and needs no make.
TASKS := dev test check golden run bench night wheel lock
.PHONY: $(TASKS)
$(TASKS):
	@python3 tasks.py $@ $(ARGS)
