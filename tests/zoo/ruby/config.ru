# Puma: a pool of threads; each thread keeps a connection to each back end.
require 'net/http'
require_relative 'plan'

JOBS = Queue.new

def perform(request, step, at = 'now')
  step.branches.each { |branch| perform_branch(request, branch, at) }
end

def perform_branch(request, branch, at)
  branch.each do |act|
    case act
    when /\At([\d.]+)\z/ then sleep($1.to_f / 1000 * rand(0.5..1.5))
    when /\Ac([\d.]+)\z/ then compute($1.to_f / 1000)
    else call(*request.call(act, at))
    end
  end
end

def compute(seconds)
  finish = Process.clock_gettime(Process::CLOCK_MONOTONIC) + seconds
  nil while Process.clock_gettime(Process::CLOCK_MONOTONIC) < finish
end

def call(host, port, target)
  connections = Thread.current[:connections] ||= {}
  connection = connections[port] ||= Net::HTTP.start(host, port)
  connection.get(target)
rescue SystemCallError, IOError
  connections.delete(port)
end

Thread.new do
  loop do
    request, step = JOBS.pop
    perform(request, step, 'job')
  end
end

Thread.new do
  until Plan::TIMER.empty?
    sleep(rand(0.05..0.15))
    timer = Plan::Request.new
    timer.steps.each { |step| perform(timer, step, 'timer') }
  end
end

app = lambda do |env|
  request = Plan::Request.new(env['PATH_INFO'], URI.decode_www_form(env['QUERY_STRING']).to_h)
  request.steps.each do |step|
    case step.when
    when 'job' then JOBS << [request, step]
    when 'now' then perform(request, step)
    end
  end
  after = request.steps.select { |step| step.when == 'after' }
  (env['rack.after_reply'] ||= []) << -> { after.each { |step| perform(request, step, 'after') } }
  [200, { 'Content-Type' => 'text/plain', 'Content-Length' => '5' }, ["done\n"]]
end

run app
