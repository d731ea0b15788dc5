# What a server of the zoo is told to do: see ../README.md.
module Plan
  KINDS = { 'now' => 0, 'job' => 1, 'after' => 2, 'timer' => 3 }.freeze
  Step = Struct.new(:chance, :when, :branches)

  def self.parse(plan)
    plan.split(',').map do |text|
      chance, at, work = /\A(?:(\d+)\?)?(?:(\w+):)?(.+)\z/.match(text).captures
      branches = work.split('|').map { |branch| branch.split('+') }
      Step.new((chance || 100).to_i, at || 'now', branches)
    end
  end

  def self.pairs(variable)
    ENV.fetch(variable, '').split(';').to_h { |pair| pair.split('=', 2) }
  end

  ROUTES = pairs('ROUTES').transform_values { |plan| parse(plan) }
  BACKENDS = pairs('BACKENDS').freeze
  TIMER = parse(ENV.fetch('TIMER', ''))
  @counter = 0
  @lock = Mutex.new

  def self.number(at)
    count = @lock.synchronize { @counter += 1 }
    Process.pid % 4096 << 20 | count << 2 | KINDS[at]
  end

  # An incoming request, or with no path a tick of the timer.
  class Request
    attr_reader :steps

    def initialize(path = nil, query = {})
      @id = query['id'].to_i
      @order = query['order']
      plan = path ? ROUTES[path.delete('/')] || ROUTES.values.sample : TIMER
      @steps = plan.select { |step| rand(100) < step.chance }
    end

    # Where one call that this request causes goes to: host, port, target.
    def call(backend, at)
      host, port, path = %r{\A(.+):(\d+)(/.*)\z}.match(BACKENDS[backend]).captures
      parent = @id * 2_654_435_761 % 2**32
      order = @order ? "&order=#{@order}" : ''
      [host, port.to_i, "#{path}?id=#{Plan.number(at)}&parent=#{parent}#{order}"]
    end
  end
end
